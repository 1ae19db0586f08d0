"""What a window's counts and outcomes amount to: its state, each finding in words, and what alarms."""

import random

import pytest

from domain.config.sections import Monitoring
from domain.contract.schema import Column, Contract
from domain.watch import bins as bin_rules
from domain.watch import verdict
from domain.watch.bins import bins_of, count
from domain.watch.happened import Happened
from domain.watch.verdict import Kind, State

CONTRACT = Contract(
    "shop",
    "binary",
    (
        Column("delay", "float", source="ops", owner="operations"),
        Column("carrier", "string"),
        Column("late", "boolean", role="target"),
    ),
    prior=0.2,
)
WINDOW = "2013-04-02"
NOTHING_CAME = {"rows": 0, "quarantined": 0, "reasons": {}}


def column(reference, window) -> dict:
    bins = bins_of(reference)
    return {
        "labels": bins.labels,
        "ordered": bins.ordered,
        "reference": count(bins, reference),
        "window": count(bins, window),
    }


def normal(rows: int, shift: float, seed: int) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.gauss(shift, 1) for _ in range(rows)]


def counts(**releases) -> dict:
    return {
        "window": WINDOW,
        "start": "2013-04-02T00:00:00Z",
        "end": "2013-04-03T00:00:00Z",
        "as_of": "2013-04-03T00:30:00Z",
        "rows": sum(each["rows"] for each in releases.values()),
        "unparsed": 0,
        "set_aside": [],
        "releases": releases,
    }


def release(rows: int = 2000, *, shift: float = 0.0, lost: float = 0.0, answers: float = 0.0, **values) -> dict:
    """Answers of a release whose delay moved, whose carrier is null in a share, and whose own answers moved."""
    carriers = [None] * int(rows * lost) + ["UA", "DL"] * (rows - int(rows * lost))
    return {
        "rows": rows,
        "fallbacks": {},
        "features": {
            "delay": column(normal(20_000, 0, 1), normal(rows, shift, 2)),
            "carrier": column(["UA", "DL"] * 10_000, carriers[:rows]),
        },
        "prediction": column(normal(20_000, 0, 3), normal(rows, answers, 4)),
        "latency_ms": {"p50": 10.0, "p99": 20.0},
        **values,
    }


def drifts(now: dict, before: dict | None = None) -> list[dict]:
    return verdict.drift_findings(now, before, CONTRACT, days=1)


def test_a_window_like_the_reference_has_nothing_to_find():
    assert drifts(counts(**{"r-1": release()}), counts(**{"r-1": release()})) == []


def test_a_column_that_moved_is_told_in_words_with_its_source_and_owner():
    (found,) = drifts(counts(**{"r-1": release(shift=0.5)}))
    assert (found["kind"], found["release"], found["column"]) == ("feature", "r-1", "delay")
    assert (found["source"], found["owner"], found["since"]) == ("ops", "operations", WINDOW)
    assert found["text"].startswith("delay: 1.") and " % of rows at release, " in found["text"]
    assert found["psi"] == pytest.approx(0.25, abs=0.05) and found["p_value"] < 1e-9


def test_lost_values_and_answers_that_moved_are_told_as_such():
    lost, answers = drifts(counts(**{"r-1": release(lost=0.2, answers=0.5)}))
    texts = sorted(each["text"] for each in (lost, answers))
    assert texts[0] == "carrier: no value: 0.0 % of rows at release, 20.0 % now"
    assert texts[1].startswith("the answers of r-1: ")
    assert {lost["kind"], answers["kind"]} == {"feature", "prediction"}


def test_what_one_window_is_too_small_for_two_windows_find():
    small = release(400, shift=0.28)
    assert drifts(counts(**{"r-1": small})) == []
    assert [each["column"] for each in drifts(counts(**{"r-1": small}), counts(**{"r-1": small}))] == ["delay"]


def test_a_release_without_a_reference_is_not_compared():
    bare = {"rows": 10, "fallbacks": {}, "features": {}, "latency_ms": None}
    assert drifts(counts(none=bare)) == []
    assert verdict.answers_of(bare) == {"rows": 10, "fallbacks": {}, "is_compared": False}


@pytest.mark.parametrize(
    ("causes", "found"),
    [
        ({"LATE": 30, "THROTTLED": 80}, ["5.5 % of answers came without a model: THROTTLED 80, LATE 30"]),
        ({"LATE": 30}, []),
        ({"OUTSIDE_HOURS": 900, "NO_RELEASE": 900}, []),
    ],
)
def test_answers_without_a_model_are_named_by_cause_but_not_those_of_the_night(causes, found):
    window = counts(**{"r-1": release(2000, fallbacks=causes)})
    assert [each["text"] for each in verdict.fallback_findings(window, Monitoring())] == found


def test_files_and_rows_that_cannot_be_read_are_told():
    window = {**counts(), "unparsed": 7, "set_aside": [{"key": "hour=2013-04-02T08/a.parquet", "reason": "cut off"}]}
    assert [each["text"] for each in verdict.set_aside_findings(window)] == [
        "1 captured files cannot be read and are not counted, such as hour=2013-04-02T08/a.parquet (cut off)",
        "7 rows have features that cannot be read",
    ]


@pytest.mark.parametrize(("quarantined", "found"), [(50, 0), (51, 1)])
def test_a_contract_is_broken_by_more_rows_than_settings_let(quarantined, found):
    came = {"rows": 1000, "quarantined": quarantined, "reasons": {"minimum": 1, "type": 50}}
    findings = verdict.contract_findings(WINDOW, came, Monitoring())
    assert len(findings) == found
    if found:
        text = "51 of 1,000 rows that came in broke the contract (5.1 %): type 50, minimum 1"
        assert (findings[0]["text"], verdict.state_of(0, findings)) == (text, State.BROKEN)


# ---- silence


def item(window: str, rows: int = 100, **values) -> dict:
    return {"run": window, "rows": rows, "outcomes": {}, "findings": [], "releases": {}, **values}


def silence(before: list, rows: int = 0, **values) -> list:
    return verdict.silence_findings(WINDOW, rows, before=before, **{"has_champion": True, "is_over": True, **values})


def test_answers_that_end_are_silence_unless_it_was_as_quiet_a_week_ago():
    week_ago, yesterday = item("2013-03-26", 0), item("2013-04-01")
    (found,) = silence([yesterday])
    assert found["text"] == "nobody asked; 100 answers in 2013-04-01"
    assert verdict.state_of(0, [found]) == State.NO_DATA
    assert silence([week_ago, yesterday]) == []
    assert silence([]) == silence([item("2013-04-01", 0)]) == silence([yesterday], rows=1) == []
    assert silence([yesterday], has_champion=False) == silence([yesterday], is_over=False) == []


def test_outcomes_that_end_are_silence_once_the_window_is_closed():
    known = {"r-1": {"outcomes": 40, "wrong": 4, "metrics": {}, "is_open": False}}
    before, now = item("2013-04-01", outcomes=known), item(WINDOW)
    (found,) = verdict.no_outcomes_findings(now, [before], is_closed=True)
    assert found["text"] == "no outcome of 100 answers has come; 40 came of 2013-04-01"
    assert verdict.no_outcomes_findings(now, [before], is_closed=False) == []
    assert verdict.no_outcomes_findings(before, [before], is_closed=True) == []


# ---- by outcomes

REFERENCE = {"rows": 5000, "features": {}, "prediction": {}, "wrong": 1000, "value_usd": 2.0}


def days(rates: list[float], outcomes: int = 200) -> list[Happened]:
    return [
        Happened(
            f"2013-04-{day:02d}", {"outcomes": outcomes, "wrong": round(rate * outcomes), "value_usd": outcomes * 1.0}
        )
        for day, rate in enumerate(rates, 1)
    ]


def judged(windows: list[Happened], reference=REFERENCE, closed=None):
    names = [each.window for each in windows] if closed is None else closed
    return verdict.outcomes_of("binary", windows, reference, days=1, closed=names)


def test_a_release_as_good_as_ever_has_outcomes_and_no_decline():
    known, found = judged(days([0.2] * 28))
    assert (found, len(known)) == ([], 28)
    assert known["2013-04-01"]["outcomes"] == 200 and known["2013-04-28"]["log_evidence"] < 3


def test_a_decline_is_found_with_its_beginning_and_its_price():
    _, found = judged(days([0.2] * 10 + [0.3] * 10))
    first = found[0]
    assert first["window"] in ("2013-04-12", "2013-04-13") and first["since"] == "2013-04-11"
    assert [each["window"] for each in found] == [f"2013-04-{day}" for day in range(int(first["window"][-2:]), 21)]
    assert first["text"].endswith("20.0 % at release; an answer is worth $1.00, $2.00 at release")
    assert all(each["since"] == first["since"] for each in found)


def test_a_release_that_is_good_again_has_declined_no_longer():
    _, found = judged(days([0.2] * 5 + [0.35] * 5 + [0.1] * 5))
    assert found and found[-1]["window"] == "2013-04-10"


def test_an_open_window_is_shown_and_is_no_evidence():
    windows = days([0.2] * 5 + [0.9])
    known, found = judged(windows, closed=[each.window for each in windows[:-1]])
    assert (found, known["2013-04-06"]["is_open"], "log_evidence" in known["2013-04-06"]) == ([], True, False)


@pytest.mark.parametrize("reference", [None, {**REFERENCE, "wrong": None}])
def test_without_anything_to_compare_with_outcomes_are_shown_only(reference):
    known, found = judged(days([0.9] * 5), reference)
    assert (found, known["2013-04-05"]["wrong"]) == ([], 180)


# ---- together


def finding(kind: Kind, **values) -> dict:
    return {"kind": kind, "text": "x", "window": WINDOW, "since": WINDOW, **values}


def test_the_worst_finding_is_the_state():
    drift, lost, broken = map(finding, (Kind.FEATURE, Kind.DECLINE, Kind.CONTRACT))
    assert verdict.state_of(1, []) == verdict.state_of(1, [finding(Kind.FALLBACK)]) == State.OK
    assert verdict.state_of(1, [drift]) == State.DRIFTED
    assert verdict.state_of(1, [drift, lost]) == State.DECLINED
    assert verdict.state_of(1, [drift, lost, broken]) == State.BROKEN
    assert verdict.state_of(0, []) == State.NO_DATA


def test_a_finding_that_was_there_before_began_then():
    before = item("2013-04-01", findings=[{**finding(Kind.FEATURE, column="a"), "since": "2013-03-28"}])
    same, other = finding(Kind.FEATURE, column="a"), finding(Kind.FEATURE, column="b")
    assert [each["since"] for each in verdict.carried_on([same, other], before)] == ["2013-03-28", WINDOW]
    assert verdict.carried_on([same], None) == [same]


def test_only_what_alarms_and_was_not_known_is_news():
    drift, lost, broken = map(finding, (Kind.FEATURE, Kind.DECLINE, Kind.CONTRACT))
    assert verdict.news([drift, lost, broken], [broken]) == [lost]


def test_bins_of_a_column_that_was_renamed_are_not_added_to_those_before():
    one, other = release(400, shift=0.28), release(400, shift=0.28)
    other["features"]["delay"] = {**other["features"]["delay"], "labels": ["other"]}
    assert bin_rules.bins_of([1]).labels != one["features"]["delay"]["labels"]
    assert drifts(counts(**{"r-1": one}), counts(**{"r-1": other})) == []
