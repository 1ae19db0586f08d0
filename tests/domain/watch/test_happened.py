"""What became of answers, as sums: the same as measuring the rows, in whatever order and parts they were added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.contract.schema import Column, Contract
from domain.watch import happened
from domain.watch.happened import PARTS, SPANS, Happened, adds, is_counted, metrics, sums_key, window_of, windows_of
from domain.watch.quality import measure

BUSINESS = Business(true_positive_usd=40.0, false_positive_usd=-12.0, false_negative_usd=-25.0)
MIDDLES = st.integers(0, SPANS - 1).map(lambda span: (span + 0.5) / SPANS)
DECISIONS = st.lists(st.tuples(MIDDLES, st.booleans()), min_size=1, max_size=60)
CLASSES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=60)
NUMBERS = st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=60)


def contract(task: str) -> Contract:
    kind = {"binary": "boolean", "multiclass": "string", "regression": "float"}[task]
    return Contract("c", task, (Column("x", "float"), Column("y", kind, role="target")), prior=0.5)


def added(task: str, answers: list[dict], outcomes: list) -> Happened:
    """As the table adds them up, in its parts."""
    items: dict[str, dict] = {}
    for number, (answer, outcome) in enumerate(zip(answers, outcomes, strict=True)):
        key = sums_key("r-1", "2013-04-01", f"p-{number}")
        item = items.setdefault(key["item"]["S"], {"rollout": key["rollout"]["S"], "item": key["item"]["S"]})
        for name, value in adds(contract(task), BUSINESS, prediction=answer, outcome=outcome).items():
            item[name] = item.get(name, 0) + value
    (window,) = windows_of(items.values())
    return window


@given(DECISIONS)
def test_decisions_are_measured_by_their_sums_as_by_their_rows(rows):
    answers = [{"prediction": share >= 0.5, "probability": share} for share, _ in rows]
    found, outcomes = added("binary", answers, [outcome for _, outcome in rows]), [outcome for _, outcome in rows]
    measured = metrics("binary", found)
    for name in ("roc_auc", "log_loss", "brier"):
        by_rows = measure(name, outcomes, [share for share, _ in rows])
        assert measured.get(name) == (pytest.approx(by_rows.value, abs=1e-7) if by_rows else None)
    wrong = sum((share >= 0.5) != outcome for share, outcome in rows)
    assert (found.window, found.outcomes, found.wrong) == ("2013-04-01", len(rows), wrong)
    assert happened.happened_share(found) == pytest.approx(sum(outcomes) / len(rows))
    assert found.mean("predicted") == pytest.approx(sum(share for share, _ in rows) / len(rows))


@given(CLASSES)
def test_classes_are_measured_by_their_sums_as_by_their_rows(rows):
    answers, outcomes = [{"prediction": answer} for answer, _ in rows], [outcome for _, outcome in rows]
    measured = metrics("multiclass", added("multiclass", answers, outcomes))
    labels = [answer for answer, _ in rows]
    expected = {name: measure(name, outcomes, labels).value for name in ("accuracy", "macro_f1")}
    assert measured == pytest.approx(expected)


@given(NUMBERS)
def test_numbers_are_measured_by_their_sums_as_by_their_rows(rows):
    answers, outcomes = [{"prediction": answer} for answer, _ in rows], [outcome for _, outcome in rows]
    measured = metrics("regression", added("regression", answers, outcomes))
    expected = {name: measure(name, outcomes, [answer for answer, _ in rows]).value for name in ("mae", "rmse")}
    assert measured == pytest.approx(expected, rel=1e-6, abs=1e-4)


def test_a_wrong_yes_adds_its_value_its_loss_and_its_place_in_the_ranking():
    answer = {"prediction": True, "probability": 0.9}
    assert adds(contract("binary"), BUSINESS, prediction=answer, outcome=False) == {
        "outcomes": 1,
        "wrong": 1,
        "false_positive": 1,
        "value_usd": -12.0,
        "predicted": 0.9,
        "log_loss": 2.302585093,
        "brier": 0.81,
        "not_45": 1,
    }


def test_windows_come_in_their_order_and_what_is_missing_is_not_measured():
    items = [
        {"rollout": "outcomes#r-1", "item": "2013-04-02#0", "outcomes": 2, "wrong": 1},
        {"rollout": "outcomes#r-1", "item": "2013-04-01#7", "outcomes": 1},
        {"rollout": "outcomes#r-1", "item": "2013-04-02#3", "outcomes": 1, "wrong": 1},
    ]
    found = windows_of(items)
    assert [(each.window, each.outcomes, each.wrong) for each in found] == [("2013-04-01", 1, 0), ("2013-04-02", 3, 2)]
    assert (metrics("binary", Happened("2013-04-01")), happened.happened_share(found[0])) == ({}, None)
    assert (happened.total(found, "all").outcomes, happened.total(found, "all").wrong) == (4, 2)


def test_only_answers_of_a_model_count_and_only_in_a_window_that_can_be_told():
    of_model = {"release": "r-1", "source": "model", "made_at": "2013-04-01T23:59:59Z"}
    assert is_counted(of_model) and is_counted({**of_model, "source": "function"})
    assert not is_counted({**of_model, "source": "fallback"}) and not is_counted({**of_model, "release": None})
    assert (window_of(of_model, 1), window_of({"made_at": "soon"}, 1)) == ("2013-04-01", None)
    parts = {sums_key("r-1", "2013-04-01", f"p-{number}")["item"]["S"] for number in range(200)}
    assert parts == {f"2013-04-01#{part}" for part in range(PARTS)}


@pytest.mark.parametrize(
    ("task", "answer", "promises", "outcomes", "share"),
    [
        ("binary", True, [{"set": [True]}, {"set": [True]}, {"set": [False, True]}], [True, False, False], 2 / 3),
        ("multiclass", "a", [{"set": ["a"]}, {"set": ["a", "b"]}, {"set": None}], ["b", "b", "c"], 2 / 3),
        (
            "regression",
            5.0,
            [{"interval": [4.0, 6.0]}, {"interval": [4.0, 6.0]}, {"interval": None}],
            [4.0, 7.0, 9.9],
            2 / 3,
        ),
    ],
)
def test_outcomes_show_how_often_the_sets_and_intervals_held(task, answer, promises, outcomes, share):
    """Answers that promised nothing, as those of a batch, do not count."""
    answers = [{"prediction": answer, "confidence": {"coverage": 0.9, **promise}} for promise in promises]
    nothing = [{"prediction": answer}, {"prediction": answer, "confidence": {"cases": 0}}]
    found = added(task, [*answers, *nothing], [*outcomes, outcomes[0], outcomes[0]])
    assert (found.outcomes, happened.held_share(found)) == (5, pytest.approx(share))
    assert happened.held_share(added(task, nothing, outcomes[:2])) is None
