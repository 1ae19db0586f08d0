from dataclasses import replace

import pytest

from domain.contract.schema import Column, Contract
from domain.request.confidence import confidence_of, without_model

FEATURE = Column("size", "float")
BINARY = Contract("c", "binary", (FEATURE, Column("late", "boolean", role="target")), prior=0.24)
CLASSES = Contract("c", "multiclass", (FEATURE, Column("kind", "string", role="target")), prior={"a": 0.4, "b": 0.6})
REGRESSION = Contract("c", "regression", (FEATURE, Column("price", "float", role="target")), prior=12.5)

NO_CASES = [{"cases": 0, "happened": 0}] * 10
DECISIONS = {
    "task": "binary",
    "coverage": 0.9,
    "rows": 5000,
    "threshold": 0.5,
    "all": {"rows": 5000, "distance": 0.6},
    "by_answer": {"true": {"rows": 700, "distance": 0.45}},
    "edges": [],
    "similar": [
        {"cases": 3000, "happened": 60},
        {"cases": 1588, "happened": 402},
        {"cases": 12, "happened": 9},
        *NO_CASES[:5],
        {"cases": 412, "happened": 331},
        *NO_CASES[:1],
    ],
    "doubt": {
        "bottom": [0.01, 0.3, 0.6],
        "top": [0.2, 0.5, 0.9],
        "low": [0.02, 0.15, 0.8],
        "high": [0.03, 0.16, 0.82],
    },
    "without_model": {"cases": 5000, "happened": 802},
    "prior_set": [False, True],
}
SURE = {"coverage": 0.9, "rows": 5000}


def test_an_answer_says_how_sure_it_is_by_counted_cases():
    assert confidence_of(BINARY, DECISIONS, 0.7, happened="were late") == {
        "coverage": 0.9,
        "rows": 700,
        "set": [True],
        "probability": 0.8039,
        "low": 0.8,
        "high": 0.82,
        "cases": 412,
        "happened": 331,
        "says": "Of 412 similar cases, 331 were late (about 8 in 10).",
    }


def test_without_a_verb_of_the_settings_target_and_value_are_named():
    texts = replace(BINARY, positive="yes")
    assert confidence_of(BINARY, DECISIONS, 0.4)["says"] == (
        "Of 1,588 similar cases, 402 had late = true (about 3 in 10)."
    )
    assert "had late = yes" in confidence_of(texts, DECISIONS, 0.4)["says"]


@pytest.mark.parametrize(
    ("score", "rows", "within"),
    [(0.1, 5000, [False]), (0.45, 5000, [False, True]), (0.55, 700, [True]), (0.6, 700, [True]), (0.9, 700, [True])],
)
def test_the_set_has_the_classes_within_the_distance_of_the_answer(score, rows, within):
    """A frequent answer has its own distance, and the others that of all rows."""
    found = confidence_of(BINARY, DECISIONS, score)
    assert (found["rows"], found["set"], "unusual" in found) == (rows, within, False)


def test_an_answer_less_sure_than_nearly_all_is_unusual_and_its_set_has_the_likeliest_class():
    found = confidence_of(BINARY, {**DECISIONS, "by_answer": {"true": {"rows": 700, "distance": 0.2}}}, 0.6)
    assert (found["set"], found["unusual"]) == ([True], True)


def test_with_too_few_rows_for_a_distance_the_set_has_every_class():
    few = {**DECISIONS, "by_answer": {}, "all": {"rows": 8, "distance": None}}
    assert confidence_of(BINARY, few, 0.99)["set"] == [False, True]


def test_fewer_than_fifty_similar_cases_are_counted_but_said_nothing_of():
    table = {**DECISIONS, "doubt": {**DECISIONS["doubt"], "low": [0.02, 0.22, 0.8], "high": [0.03, 0.24, 0.82]}}
    found = confidence_of(BINARY, table, 0.4)
    assert (found["cases"], found["says"]) == (12, "Too few similar cases to say.")


@pytest.mark.parametrize(
    ("cases", "happened", "about"),
    [
        (60, 0, "none of them"),
        (60, 60, "all of them"),
        (1000, 3, "fewer than 1 in 100"),
        (1000, 997, "more than 99 in 100"),
        (1000, 20, "about 2 in 100"),
        (1000, 49, "about 5 in 100"),
        (1000, 50, "about 1 in 10"),
        (1000, 849, "about 8 in 10"),
        (1000, 949, "about 9 in 10"),
        (1000, 950, "about 95 in 100"),
    ],
)
def test_a_share_is_said_in_tenths_and_near_the_ends_in_hundredths(cases, happened, about):
    table = {**DECISIONS, "similar": [{"cases": cases, "happened": happened}] * 10}
    assert confidence_of(BINARY, table, 0.7)["says"].endswith(f"({about}).")


def test_a_class_is_as_sure_as_answers_of_its_probability_were_right():
    table = {
        **DECISIONS,
        "task": "multiclass",
        "by_answer": {"b": {"rows": 600, "distance": 0.75}},
        "all": {"rows": 5000, "distance": 0.65},
    }
    found = confidence_of(CLASSES, table, [0.3, 0.62, 0.08], classes=["a", "b", "c"])
    assert found == {
        "coverage": 0.9,
        "rows": 600,
        "set": ["a", "b"],
        "probability": 0.8039,
        "low": 0.8,
        "high": 0.82,
        "cases": 412,
        "happened": 331,
        "says": "Of 412 answers as sure as this, 331 were right (about 8 in 10).",
    }
    numbered = confidence_of(CLASSES, {**table, "by_answer": {}}, [0.1, 0.9], classes=[1, 2])
    assert numbered["set"] == [2]


VALUES = {
    "task": "regression",
    "coverage": 0.9,
    "rows": 1000,
    "threshold": 0.5,
    "all": {"rows": 1000, "distance": 4.0},
    "by_answer": {"1": {"rows": 500, "distance": 2.5}},
    "edges": [10.0],
    "similar": [{"cases": 500, "happened": 470}, {"cases": 500, "happened": 451}],
    "without_model": {"cases": 1000, "happened": 902},
    "prior_interval": [2.0, 1234.5],
}


def test_a_value_has_an_interval_as_wide_as_values_of_its_size_need():
    assert confidence_of(REGRESSION, VALUES, 12.0) == {
        "coverage": 0.9,
        "rows": 500,
        "interval": [9.5, 14.5],
        "cases": 500,
        "happened": 451,
        "says": "Of 500 similar cases, 451 were within 2.5 of the answer (about 9 in 10).",
    }
    assert confidence_of(REGRESSION, VALUES, 9.0)["interval"] == [5.0, 13.0]


def test_a_value_with_too_few_rows_has_no_interval():
    few = {**VALUES, "by_answer": {}, "all": {"rows": 8, "distance": None}}
    assert confidence_of(REGRESSION, few, 9.0) == {
        "coverage": 0.9,
        "rows": 8,
        "interval": None,
        "says": "Too few similar cases to say.",
    }


# ---- the fallback


def test_without_a_model_all_cases_are_counted():
    assert without_model(BINARY, DECISIONS, False, happened="were late") == {
        **SURE,
        "set": [False, True],
        "cases": 5000,
        "happened": 802,
        "says": "No model answered; of 5,000 cases in all, 802 were late (about 2 in 10).",
    }
    classes = {**DECISIONS, "task": "multiclass", "prior_set": None}
    assert without_model(CLASSES, classes, "b") == {
        **SURE,
        "set": None,
        "cases": 5000,
        "happened": 802,
        "says": "No model answered; of 5,000 cases in all, 802 had kind = b (about 2 in 10).",
    }
    assert without_model(REGRESSION, VALUES, 12.5) == {
        "coverage": 0.9,
        "rows": 1000,
        "interval": [2.0, 1234.5],
        "cases": 1000,
        "happened": 902,
        "says": "No model answered; of 1,000 cases in all, 902 were between 2 and 1,234 (about 9 in 10).",
    }


SEGMENTS = {"column": "vip", "priors": {"True": {"cases": 60, "total": 18.0, "prior": 0.29}}}


def test_without_a_model_the_cases_of_the_rows_segment_are_counted():
    table = {**DECISIONS, "segments": SEGMENTS}
    found = without_model(BINARY, table, False, row={"vip": True}, happened="were late")
    assert (found["cases"], found["happened"]) == (60, 18)
    assert found["says"] == "No model answered; of 60 cases with vip = true, 18 were late (about 3 in 10)."
    for other in ({"vip": False}, {"vip": None}, {}):
        assert without_model(BINARY, table, False, row=other)["cases"] == 5000
    values = {**VALUES, "segments": SEGMENTS}
    assert without_model(REGRESSION, values, 0.29, row={"vip": True}) == without_model(REGRESSION, VALUES, 0.29)


def test_nothing_is_said_that_nobody_has_counted():
    nothing = {"cases": 0, "says": "No model answered; no similar case has been counted."}
    assert without_model(BINARY, None, False) == nothing
    assert without_model(BINARY, VALUES, False) == nothing, "the release answers another question"
    assert confidence_of(BINARY, None, 0.7) == {"cases": 0, "says": "No similar case has been counted."}
    no_interval = {**VALUES, "prior_interval": None}
    assert without_model(REGRESSION, no_interval, 12.5)["says"] == "No model answered; too few similar cases to say."
