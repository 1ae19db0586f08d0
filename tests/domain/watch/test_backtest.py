"""What two backtests, and two policies of one, have between them."""

import math

import pytest

from domain.watch.backtest import NotComparable, best_of, beyond, difference


def tried(policy: str, values: list[float | None], *, quality: float = 0.7, training: float | None = 2.0) -> dict:
    known = [value for value in values if value is not None]
    value = sum(known) if known else None
    return {
        "policy": policy,
        "answers": 10 * len(values),
        "by_model": 10 * len(values),
        "metrics": {"roc_auc": quality},
        "wrong": 3,
        "value_usd": value,
        "training_usd": training,
        "net_usd": None if value is None or training is None else value - training,
        "runs": [{"verdict": "approved"}],
        "alarms": [],
        "windows": {"ok": 7},
        "weeks": [{"week": f"2013-04-{day:02d}", "value_usd": each} for day, each in enumerate(values, 1)],
    }


def backtest(*policies: dict, **other) -> dict:
    about = {"history": "ab", "first": "2013-04-01", "until": "2013-05-01", "metric": "roc_auc", "prior_usd": 1.0}
    return {**about, "rows": 10, "task": "binary", "policies": list(policies), **other}


def test_a_policy_is_held_against_another_week_by_week():
    gained = beyond(tried("weekly", [3.0, 5.0, 4.0, 8.0]), tried("never", [2.0, 2.0, 2.0, 2.0]))
    assert gained.usd == 12.0
    assert gained.error == pytest.approx(math.sqrt(4 * (4 + 0 + 1 + 9) / 3))  # four times the variance of the gains
    assert beyond(tried("weekly", [None, None]), tried("never", [None, None])) is None


def test_the_best_policy_has_the_greatest_net_value_and_of_equal_ones_comes_first():
    never, weekly = tried("never", [5.0], training=1.0), tried("weekly", [5.5], training=1.5)
    assert best_of(backtest(never, weekly))["policy"] == "never"
    assert best_of(backtest(never, tried("weekly", [5.6], training=1.5)))["policy"] == "weekly"


def test_without_values_the_best_quality_counts_in_its_own_direction():
    never, weekly = tried("never", [None], quality=0.7), tried("weekly", [None], quality=0.8)
    assert best_of(backtest(never, weekly))["policy"] == "weekly"
    for each in (never, weekly):
        each["metrics"] = {"log_loss": each["metrics"]["roc_auc"]}
    assert best_of(backtest(never, weekly, metric="log_loss"))["policy"] == "never"


def test_an_earlier_backtest_of_the_same_days_is_taken_off():
    before = backtest(tried("never", [5.0], quality=0.75), tried("weekly", [6.0]))
    now = backtest(tried("never", [7.0], quality=0.5, training=None))
    expected = {"policy": "never", "value_usd": 2.0, "quality": -0.25, "training_usd": None, "runs": 0, "alarms": 0}
    assert difference(now, before) == [expected]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"first": "2013-03-01"}, "first = 2013-03-01: must be 2013-04-01, as of this backtest"),
        ({"history": "cd"}, "rows or contract = cd: must be ab, as of this backtest"),
    ],
)
def test_other_rows_or_days_are_not_comparable(other, told):
    with pytest.raises(NotComparable) as refused:
        difference(backtest(tried("never", [5.0])), backtest(tried("never", [5.0]), **other))
    assert str(refused.value).startswith(told)
