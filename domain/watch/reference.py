"""What a release is compared with: its features and answers on the rows that it was judged on, counted in bins.

`model_code/evaluate.py` writes one for each candidate beside evaluation.json, on rows that none has learnt from: on its
own, a model is surer than it will ever be again.
"""

from typing import Any, TypedDict


class ColumnReference(TypedDict):
    """A column of the reference rows."""

    type: str  # of the contract; of a prediction that of the target, or float where it is a probability
    bins: dict[str, Any]  # as domain/watch/bins.py writes them
    counts: list[int]  # rows by bin


class Reference(TypedDict):
    """reference/<candidate>.json of a run. `wrong` is None for a regression, `value_usd` for all but a binary task."""

    rows: int
    features: dict[str, ColumnReference]  # but timestamps: each is newer than those before
    prediction: ColumnReference  # P(positive), the class, or the value
    wrong: int | None  # of the rows, all of which have an outcome
    value_usd: float | None  # of a row, by [business]
