"""Confidence tables from drawn rows: what they promise holds on rows that they were not made of."""

import itertools

import numpy as np
import pytest

from domain.contract.schema import Column, Contract
from domain.request.confidence import confidence_of
from model_code.fitting.confidence import Answered, confidence_table, covered

FEATURE = Column("size", "float")
BINARY = Contract("c", "binary", (FEATURE, Column("late", "boolean", role="target")), prior=0.24)
CLASSES = Contract("c", "multiclass", (FEATURE, Column("kind", "string", role="target")), prior={"a": 0.4, "b": 0.6})
REGRESSION = Contract("c", "regression", (FEATURE, Column("price", "float", role="target")), prior=12.5)
CONTRACTS = {contract.task: contract for contract in (BINARY, CLASSES, REGRESSION)}
NAMES = ["a", "b", "c"]


def decisions(rows: int, seed: int) -> Answered:
    """A model that knows how likely each row is."""
    random = np.random.default_rng(seed)
    scores = random.beta(1, 2, rows)
    return Answered((random.random(rows) < scores).astype(int), scores, [0, 1])


def classes(rows: int, seed: int) -> Answered:
    random = np.random.default_rng(seed)
    scores = random.dirichlet([2, 1, 0.5], rows)
    places = (random.random(rows)[:, None] > scores.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return Answered(np.array(NAMES)[places], scores, NAMES)


def values(rows: int, seed: int) -> Answered:
    """The larger a value is, the less sure it is."""
    random = np.random.default_rng(seed)
    scores = random.uniform(1, 10, rows)
    return Answered(scores + random.normal(0, scores), scores, [])


DRAWN = {"binary": decisions, "multiclass": classes, "regression": values}


def table_of(task: str, rows: int, seed: int = 1, coverage: float = 0.9):
    return confidence_table(CONTRACTS[task], DRAWN[task](rows, seed), coverage=coverage, threshold=0.5)


def answers_of(task: str, rows: Answered, table):
    scores = rows.scores.tolist()
    return [confidence_of(CONTRACTS[task], table, score, classes=rows.classes) for score in scores]


def holds(task: str, found: dict, actual) -> bool:
    if task == "regression":
        return found["interval"][0] <= actual <= found["interval"][1]
    return (bool(actual) if task == "binary" else actual) in found["set"]


@pytest.mark.parametrize("task", DRAWN)
@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_outcomes_of_new_rows_lie_in_the_set_or_interval_as_often_as_was_agreed(task, coverage):
    table, new = table_of(task, 5000, coverage=coverage), DRAWN[task](5000, 2)
    found = answers_of(task, new, table)
    held = np.array([holds(task, one, actual) for one, actual in zip(found, new.actual.tolist(), strict=True)])
    assert coverage - 0.02 < held.mean() < coverage + (0.02 if task == "regression" else 0.05)


def test_the_coverage_holds_for_each_frequent_answer_and_for_large_values():
    """One quantile for all rows covers too few of the large values, and too many of the small ones."""
    table, new = table_of("regression", 8000), values(8000, 2)
    found = answers_of("regression", new, table)
    held = np.array([holds("regression", one, actual) for one, actual in zip(found, new.actual, strict=True)])
    for low, high in ((1, 3), (8, 10)):
        assert held[(new.scores > low) & (new.scores < high)].mean() == pytest.approx(0.9, abs=0.025)
    binary, decided = table_of("binary", 8000), decisions(8000, 2)
    assert sorted(binary["by_answer"]) == ["false", "true"]
    for answer in (True, False):
        rows = (decided.scores >= 0.5) == answer
        part = Answered(decided.actual[rows], decided.scores[rows], [0, 1])
        sets = [one["set"] for one in answers_of("binary", part, binary)]
        assert np.mean([bool(actual) in each for actual, each in zip(part.actual, sets, strict=True)]) > 0.88


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_sets_nest_as_the_coverage_grows(task):
    tables = [table_of(task, 3000, coverage=coverage) for coverage in (0.6, 0.8, 0.9, 0.99)]
    new = DRAWN[task](300, 2)
    for narrow, wide in itertools.pairwise(tables):
        found = zip(answers_of(task, new, narrow), answers_of(task, new, wide), strict=True)
        assert all(set(one["set"]) <= set(other["set"]) for one, other in found)


def test_intervals_nest_as_the_coverage_grows():
    narrow, wide = (table_of("regression", 3000, coverage=coverage) for coverage in (0.7, 0.95))
    for value in (1.5, 5.0, 9.5):
        low, high = confidence_of(REGRESSION, narrow, value)["interval"]
        wider = confidence_of(REGRESSION, wide, value)["interval"]
        assert wider[0] <= low <= value <= high <= wider[1]


def test_a_probability_that_is_off_is_said_as_it_was_and_counted():
    """The model says 0.8 where it happens half of the time."""
    random = np.random.default_rng(3)
    scores = random.choice([0.1, 0.8], 4000)
    actual = (random.random(4000) < np.where(scores == 0.8, 0.5, 0.1)).astype(int)
    table = confidence_table(BINARY, Answered(actual, scores, [0, 1]), coverage=0.9, threshold=0.5)
    found = confidence_of(BINARY, table, 0.8)
    alike = scores == 0.8
    assert (found["cases"], found["happened"]) == (int(alike.sum()), int(actual[alike].sum()))
    assert found["low"] <= found["probability"] <= found["high"] < found["low"] + 0.001
    assert found["probability"] == pytest.approx(actual[alike].mean(), abs=0.001)


@pytest.mark.parametrize("task", DRAWN)
def test_every_row_is_counted_once_and_the_table_stays_small(task):
    table = table_of(task, 20_000)
    assert sum(each["cases"] for each in table["similar"]) == table["rows"] == table["without_model"]["cases"]
    assert len(table.get("doubt", {"top": []})["top"]) <= 100
    if task != "regression":
        rows = DRAWN[task](20_000, 1)
        happened = rows.actual == 1 if task == "binary" else np.array(NAMES)[rows.scores.argmax(axis=1)] == rows.actual
        assert sum(each["happened"] for each in table["similar"]) == happened.sum()


@pytest.mark.parametrize("task", DRAWN)
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_the_fewest_rows_promise_nothing_and_every_outcome_is_possible(task, rows):
    table, new = table_of(task, rows), DRAWN[task](20, 2)
    for found in answers_of(task, new, table):
        assert found["says"] == "Too few similar cases to say."
        if rows < 9:
            assert found.get("interval") is None
            assert task == "regression" or len(found["set"]) == (2 if task == "binary" else 3)


def test_rows_in_another_order_give_the_same_table():
    for task, contract in CONTRACTS.items():
        rows = DRAWN[task](1500, 4)
        order = np.random.default_rng(0).permutation(1500)
        shuffled = Answered(rows.actual[order], rows.scores[order], rows.classes)
        tables = [confidence_table(contract, each, coverage=0.9, threshold=0.5) for each in (rows, shuffled)]
        assert tables[0] == tables[1]


def test_a_class_that_the_model_has_never_seen_counts_as_far_away():
    rows = classes(1000, 1)
    new = Answered(np.where(np.arange(1000) % 5 == 0, "new", rows.actual), rows.scores, NAMES)
    table = confidence_table(CLASSES, new, coverage=0.9, threshold=0.5)
    assert table["all"]["distance"] == 1.0
    assert "new" in table["prior_set"]


# ---- measured on rows in the order of time


@pytest.mark.parametrize("task", DRAWN)
def test_the_newer_half_is_covered_by_the_table_of_the_older_half(task):
    found = covered(CONTRACTS[task], DRAWN[task](10_000, 5), coverage=0.9, threshold=0.5)
    assert (found["agreed"], found["rows"], found["window"]) == (0.9, 5000, 500)
    assert 0.88 < found["share"] < 0.95 and 0.8 < found["worst"] <= found["share"]
    assert ("certain" in found, "width" in found) == (task != "regression", task == "regression")
    if task != "regression":
        assert 0 < found["certain"] < 1


def test_a_change_half_way_through_the_newer_rows_shows_in_the_worst_window():
    rows = values(10_000, 6)
    changed = np.where(np.arange(10_000) < 8000, rows.actual, rows.scores + 2 * (rows.actual - rows.scores))
    found = covered(REGRESSION, Answered(changed, rows.scores, []), coverage=0.9, threshold=0.5)
    assert found["share"] < 0.82 and found["worst"] < 0.65


def test_few_rows_are_not_halved():
    assert covered(BINARY, decisions(199, 1), coverage=0.9, threshold=0.5) is None
    assert covered(BINARY, decisions(200, 1), coverage=0.9, threshold=0.5)["window"] == 50
