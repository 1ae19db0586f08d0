"""Curves of a model on the rows of an evaluation, in few numbers: curves.json of a run, next to its evaluation.json."""

from typing import NamedTuple, NotRequired, TypedDict

Points = list[tuple[float, float]]


class Cuts(TypedDict):
    """Counts by threshold, the highest first: rows with at least that score are positive. Lists of equal length."""

    threshold: list[float]
    true_positive: list[int]  # the last one counts all positive rows
    false_positive: list[int]  # the last one counts all negative rows


class Calibration(TypedDict):
    """Bins of equally many rows in the order of the scores, with the means of each. Lists of equal length.

    A binary task has the probability of the positive class, a multiclass task that of the likeliest class, and how
    often it came true. A regression has predicted and actual values.
    """

    rows: list[int]
    predicted: list[float]
    happened: list[float]


class Risk(TypedDict):
    """How often answers are wrong if the model gives only those of which it is surest. Lists of equal length."""

    answered: list[float]  # share of the rows that it answers, ascending
    wrong: list[float]  # share of these
    worst: list[float | None]  # the same in the worst `window` rows in a row; None if too few of any are answered
    window: int


class Curve(TypedDict):
    """Curves of one model on all rows; only a binary task has cuts, and a regression has no risk."""

    cuts: NotRequired[Cuts]
    calibration: Calibration
    risk: NotRequired[Risk]


class Curves(TypedDict):
    """curves.json of a run: every model on the same rows; champion is None if the run evaluated none."""

    candidates: dict[str, Curve]
    champion: Curve | None


class Drawn(NamedTuple):
    """Points of a model's curves in the unit square; for a regression, calibration is in the target's unit."""

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
    """Return the recall at a false positive rate, by linear interpolation."""
    before = max(point for point in roc if point[0] <= rate)  # the highest of several points at one rate
    after = min((point for point in roc if point[0] > rate), default=before)
    if after[0] == before[0]:
        return before[1]
    return before[1] + (after[1] - before[1]) * (rate - before[0]) / (after[0] - before[0])


def precision_at(precision_recall: Points, recall: float) -> float:
    """Return the precision at the highest threshold that reaches a recall."""
    return next(precision for reached, precision in precision_recall if reached >= recall)
