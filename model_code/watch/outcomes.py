"""Sums over outcomes by whole columns: what `adds` of domain/watch/happened.py adds up to, answer by answer."""

import numpy as np

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.money.worth import CELLS
from domain.watch.happened import LEAST_PROBABILITY, SPANS

Sums = dict[str, float]


def sums_of(
    contract: Contract,
    business: Business,
    *,
    prediction: np.ndarray,
    probability: np.ndarray | None,
    actual: np.ndarray,
) -> Sums:
    """Return the sums over answers and what became of them, (rows,) each.

    `prediction` and `actual` are booleans of a binary task, else labels or values; `probability` is that of the
    positive class.
    """
    if contract.task == "regression":
        error = prediction - actual
        return {
            "outcomes": len(actual),
            "error": float(error.sum()),
            "absolute_error": float(np.abs(error).sum()),
            "squared_error": float((error * error).sum()),
        }
    sums: Sums = {"outcomes": len(actual), "wrong": int((prediction != actual).sum())}
    if contract.task == "multiclass":
        return sums | _of_classes(prediction, actual)
    return sums | _of_decisions(business, prediction, actual) | _of_probabilities(probability, actual)


def _of_classes(prediction: np.ndarray, actual: np.ndarray) -> Sums:
    kinds = {"answered": prediction, "actual": actual, "right": actual[prediction == actual]}
    sums: Sums = {}
    for kind, values in kinds.items():
        for label, times in zip(*np.unique(values, return_counts=True), strict=True):
            sums[f"{kind}#{label}"] = int(times)
    return sums


def _of_decisions(business: Business, yes: np.ndarray, happened: np.ndarray) -> Sums:
    counts = [yes & happened, yes & ~happened, ~yes & ~happened, ~yes & happened]
    sums: Sums = {cell: int(rows.sum()) for cell, rows in zip(CELLS, counts, strict=True) if rows.any()}
    sums["value_usd"] = sum(getattr(business, f"{cell}_usd") * sums.get(cell, 0) for cell in CELLS)
    return sums


def _of_probabilities(probability: np.ndarray | None, happened: np.ndarray) -> Sums:
    if probability is None:
        return {}
    share = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    sums: Sums = {
        "predicted": float(probability.sum()),
        "log_loss": float(-np.log(np.where(happened, share, 1 - share)).sum()),
        "brier": float(((probability - happened) ** 2).sum()),
    }
    spans = np.minimum((probability * SPANS).astype(int), SPANS - 1)
    for kind, rows in (("happened", happened), ("not", ~happened)):
        for span, times in zip(*np.unique(spans[rows], return_counts=True), strict=True):
            sums[f"{kind}_{span}"] = int(times)
    return sums


def add_sums(sums: Sums, more: Sums) -> None:
    for name, number in more.items():
        sums[name] = sums.get(name, 0) + number
