"""Curves of a model on the rows of an evaluation, as few numbers: curves.json of a run, beside its evaluation.json."""

from typing import NamedTuple, NotRequired, TypedDict

Points = list[tuple[float, float]]


class Cuts(TypedDict):
    """Decisions by threshold, the strictest first: rows with at least that score are a yes. Equally long lists."""

    threshold: list[float]
    true_positive: list[int]  # the last one is all rows that were positive
    false_positive: list[int]  # the last one is all rows that were not


class Calibration(TypedDict):
    """Bins of equally many rows, by the order of the scores: means of each. Equally long lists.

    A binary task has the probability of the positive class, a multiclass one that of the likeliest class, and what came
    true of it; a regression has values and values.
    """

    rows: list[int]
    predicted: list[float]
    happened: list[float]


class Curve(TypedDict):
    """One model on all rows; only a binary task has cuts."""

    cuts: NotRequired[Cuts]
    calibration: Calibration


class Curves(TypedDict):
    """curves.json of a run: every model on the same rows; champion is None where the run evaluated none."""

    candidates: dict[str, Curve]
    champion: Curve | None


class Drawn(NamedTuple):
    """The points of a model's curves in the unit square; of a regression, calibration is in the target's unit."""

    roc: Points  # (false positive rate, recall)
    precision_recall: Points  # (recall, precision)
    calibration: Points  # (predicted, happened)


def drawn(curve: Curve) -> Drawn:
    """Compute the points of each curve; a curve that the task does not have is empty."""
    bins = curve["calibration"]
    calibration = list(zip(bins["predicted"], bins["happened"], strict=True))
    cuts = curve.get("cuts")
    if cuts is None:
        return Drawn([], [], calibration)
    hits, alarms = cuts["true_positive"], cuts["false_positive"]
    recall = [hit / hits[-1] for hit in hits]
    roc = [(0.0, 0.0), *zip((alarm / alarms[-1] for alarm in alarms), recall, strict=True)]
    precision = [hit / (hit + alarm) for hit, alarm in zip(hits, alarms, strict=True)]
    return Drawn(roc, list(zip(recall, precision, strict=True)), calibration)


def recall_at(roc: Points, rate: float) -> float:
    """Return the recall at a false positive rate, on a straight line between the points that are known."""
    before = max(point for point in roc if point[0] <= rate)  # of points above each other the highest
    after = min((point for point in roc if point[0] > rate), default=before)
    if after[0] == before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (rate - before[0]) / (after[0] - before[0])


def precision_at(precision_recall: Points, recall: float) -> float:
    """Return the precision at the strictest threshold that reaches a recall."""
    return next(precision for reached, precision in precision_recall if reached >= recall)
