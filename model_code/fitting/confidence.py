"""Make the confidence table of a model from its scores on rows that it has not learnt from."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from domain.contract.schema import Contract
from domain.release.evaluation import Covered
from domain.request.answers import fallback_answer
from domain.request.confidence import LEAST_CASES
from domain.train.confidence import (
    BINS,
    LEAST_GROUP,
    MOST_GROUPS,
    MOST_SCORES,
    Cases,
    ConfidenceTable,
    Doubt,
    Quantile,
    answer_key,
    between,
    middle_interval,
    prior_set,
    probability_bin,
    quantile,
    venn_abers,
)
from domain.train.curves import Risk
from model_code.fitting.metrics import confidences
from model_code.fitting.risk import WINDOW, in_windows, risk

_LEAST_HALF = 100  # rows


class Answered(NamedTuple):
    """Rows with their scores and outcomes, shaped as in metrics.py; `classes` of a multiclass model."""

    actual: np.ndarray
    scores: np.ndarray
    classes: list[Any]

    def part(self, rows: slice) -> "Answered":
        return Answered(self.actual[rows], self.scores[rows], self.classes)


def confidence_table(contract: Contract, rows: Answered, *, coverage: float, threshold: float) -> ConfidenceTable:
    """Count the rows; the same rows in any order give the same table."""
    if contract.task == "regression":
        return _of_values(contract, rows, coverage=coverage, threshold=threshold)
    scored, happened = confidences(contract.task, rows.actual, rows.scores, rows.classes)
    answers = _answers_of(contract.task, rows, threshold)
    distances = _distances_of(contract.task, rows)
    doubt, similar = _doubt(scored, happened)
    return {
        "task": contract.task,
        "coverage": coverage,
        "rows": len(rows.actual),
        "threshold": threshold,
        "all": _quantile(distances, coverage),
        "by_answer": _by_answer(contract.task, answers, distances, coverage),
        "edges": [],
        "similar": similar,
        "doubt": doubt,
        "without_model": _without_model(contract, rows.actual),
        "prior_set": prior_set(_class_counts(contract.task, rows), coverage),
    }


def covered(contract: Contract, rows: Answered, *, coverage: float, threshold: float) -> Covered | None:
    """Measure how well the table of the older half holds on the newer half; None with too few rows to halve."""
    half = len(rows.actual) // 2
    if half < _LEAST_HALF:
        return None
    older, newer = rows.part(slice(0, half)), rows.part(slice(half, None))
    limits = _limits(confidence_table(contract, older, coverage=coverage, threshold=threshold), newer)
    held = _distances_of(contract.task, newer) <= limits
    window = min(WINDOW, len(held) // 2)
    found: Covered = {
        "agreed": coverage,
        "rows": len(held),
        "share": float(held.mean()),
        "worst": float(in_windows(held, window).min() / window),
        "window": window,
    }
    if contract.task == "regression":
        width = 2 * float(np.median(limits))
        return {**found, "width": width if np.isfinite(width) else None}
    certain, wrong = _set_sizes(contract.task, newer, limits) <= 1, _wrong(contract.task, newer, threshold)
    found |= {"certain": float(certain.mean()), "wrong": float(wrong.mean())}
    return {**found, "wrong_if_certain": float(wrong[certain].mean())} if certain.any() else found


def _limits(table: ConfidenceTable, rows: Answered) -> np.ndarray:
    """Return the largest distance (rows,) within the set or interval of each row."""
    answers = _answers_of(table["task"], rows, table["threshold"])
    if table["task"] == "regression":
        answers = np.searchsorted(np.array(table["edges"]), answers, side="right")
    names, places = np.unique(answers, return_inverse=True)
    by_name = [
        table["by_answer"].get(answer_key(table["task"], name.item()), table["all"])["distance"] for name in names
    ]
    return np.array([np.inf if limit is None else limit for limit in by_name])[places]


def _set_sizes(task: str, rows: Answered, limits: np.ndarray) -> np.ndarray:
    return (_class_distances(task, rows) <= limits[:, None]).sum(axis=1)


def _class_distances(task: str, rows: Answered) -> np.ndarray:
    """Return the distance (rows, classes) of each class."""
    return np.column_stack([rows.scores, 1 - rows.scores]) if task == "binary" else 1 - rows.scores


def _wrong(task: str, rows: Answered, threshold: float) -> np.ndarray:
    return _answers_of(task, rows, threshold) != rows.actual


def risk_of(task: str, rows: Answered, threshold: float) -> Risk | None:
    """Compute the risk of answering only the rows whose set has one class, as the coverage falls; None for values.

    A row is the surer the farther away its second class is: the set has one class until the limit reaches that.
    """
    if task == "regression" or len(rows.classes) == 1:
        return None
    return risk(np.partition(_class_distances(task, rows), 1, axis=1)[:, 1], _wrong(task, rows, threshold))


def _answers_of(task: str, rows: Answered, threshold: float) -> np.ndarray:
    """Return the answer (rows,) to each row: a decision, a class or a value."""
    if task == "binary":
        return rows.scores >= threshold
    return np.array(rows.classes)[rows.scores.argmax(axis=1)] if task == "multiclass" else rows.scores


def _distances_of(task: str, rows: Answered) -> np.ndarray:
    """Return the conformal distance (rows,) between each answer and its outcome."""
    if task == "regression":
        return np.abs(rows.scores - rows.actual)
    if task == "binary":
        return np.where(rows.actual == 1, 1 - rows.scores, rows.scores)
    hit = rows.actual[:, None] == np.array(rows.classes)[None, :]
    return 1 - np.where(hit.any(axis=1), (rows.scores * hit).sum(axis=1), 0.0)  # a class never seen: as far as can be


def _of_values(contract: Contract, rows: Answered, *, coverage: float, threshold: float) -> ConfidenceTable:
    values, distances = rows.scores, _distances_of("regression", rows)
    bins = max(1, min(BINS, len(values) // LEAST_CASES))
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    places = np.searchsorted(edges, values, side="right")
    whole, by_answer = _quantile(distances, coverage), _by_answer("regression", places, distances, coverage)
    limits = [by_answer.get(str(place), whole)["distance"] for place in range(len(edges) + 1)]
    within = distances <= np.array([np.inf if limit is None else limit for limit in limits])[places]
    interval = middle_interval(np.sort(rows.actual).tolist(), coverage)
    inside = _inside(rows.actual, interval)
    return {
        "task": contract.task,
        "coverage": coverage,
        "rows": len(values),
        "threshold": threshold,
        "all": whole,
        "by_answer": by_answer,
        "edges": edges.tolist(),
        "similar": [_cases(within[places == place]) for place in range(len(edges) + 1)],
        "without_model": _cases(inside),
        "prior_interval": interval,
    }


def _inside(actual: np.ndarray, interval: list[float] | None) -> np.ndarray:
    low, high = interval or (-np.inf, np.inf)
    return (actual >= low) & (actual <= high)


def _cases(happened: np.ndarray) -> Cases:
    return {"cases": len(happened), "happened": int(happened.sum())}


def _quantile(distances: np.ndarray, coverage: float) -> Quantile:
    return {"rows": len(distances), "distance": quantile(np.sort(distances).tolist(), coverage)}


def _by_answer(task: str, answers: np.ndarray, distances: np.ndarray, coverage: float) -> dict[str, Quantile]:
    """Make a quantile for each answer that many rows got, so that the coverage holds for the rare ones too."""
    names, counts = np.unique(answers, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    return {
        answer_key(task, names[place].item()): _quantile(distances[answers == names[place]], coverage)
        for place in largest
        if counts[place] >= LEAST_GROUP
    }


def _doubt(scored: np.ndarray, happened: np.ndarray) -> tuple[Doubt, list[Cases]]:
    """Make the table of probabilities, and count the rows by bin of their probability."""
    order = np.argsort(scored, kind="stable")
    scored, happened = scored[order], happened[order].astype(bool)
    starts = _group_starts(scored)
    ends = np.append(starts[1:], len(scored))
    groups = [_cases(happened[start:end]) for start, end in zip(starts, ends, strict=True)]
    low, high = venn_abers(groups)
    doubt: Doubt = {
        "bottom": scored[starts].tolist(),
        "top": scored[ends - 1].tolist(),
        "low": [round(each, 6) for each in low],
        "high": [round(each, 6) for each in high],
    }
    return doubt, _similar(doubt, groups)


def _group_starts(ascending: np.ndarray) -> np.ndarray:
    """Return where each group of neighbouring scores begins: each score alone if there are few, else equally many rows
    in each, and equal scores always together.
    """
    firsts = np.flatnonzero(np.append(True, np.diff(ascending) > 0))
    if len(firsts) <= MOST_SCORES:
        return firsts
    wanted = np.linspace(0, len(ascending), MOST_SCORES, endpoint=False).astype(int)
    return np.unique(firsts[np.searchsorted(firsts, wanted, side="right") - 1])


def _similar(doubt: Doubt, groups: Iterable[Cases]) -> list[Cases]:
    similar = [Cases(cases=0, happened=0) for _ in range(BINS)]
    for score, each in zip(doubt["top"], groups, strict=True):
        cell = similar[probability_bin(*between(doubt, score))]
        cell["cases"] += each["cases"]
        cell["happened"] += each["happened"]
    return similar


def _class_counts(task: str, rows: Answered) -> list[tuple[Any, int]]:
    names, counts = np.unique(rows.actual, return_counts=True)
    return [
        (bool(name) if task == "binary" else name.item(), int(count)) for name, count in zip(names, counts, strict=True)
    ]


def _without_model(contract: Contract, actual: np.ndarray) -> Cases:
    """Count the rows for which it happened: the positive outcome, or the class that the prior answers."""
    if contract.task == "binary":
        return _cases(actual == 1)
    return _cases(actual == fallback_answer(contract)["prediction"])
