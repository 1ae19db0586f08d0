"""The form of the four engines: the kernel, numpy on a plan, scikit-learn on a pipeline, ONNX Runtime on tensors.

They are `kernel/engine.py` (KernelEngine), `plan/engines.py` (PlanEngine, PipelineEngine) and `onnx_engine.py`
(TensorEngine). `scorer.py` chooses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from model_code.refusals import RowRefused

if TYPE_CHECKING:  # a server on the kernel starts without them
    import numpy as np
    import pyarrow as pa

    Scores = np.ndarray[Any, np.dtype[np.float64]]  # (rows, classes), or (rows, 1) for a regression
    Scored = tuple[Scores, list[RowRefused]]

# (nullable, whole, minimum, maximum, allowed texts or None) of one column: see limits.py
Limit = tuple[bool, bool, float, float, Sequence[str] | None]


class EngineColumn(Protocol):
    """A column as the model takes it; kind is number, boolean or category."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


class Engine(Protocol):
    """Scores rows. A result is (scores, refusals): scores are NaN in refused rows; refusals are ascending, one a row.
    A body that cannot be read as rows is BodyRefused.
    """

    name: str
    task: str  # classification or regression
    classes: list[Any]  # in the order of the scores

    @property
    def columns(self) -> Sequence[EngineColumn]: ...

    def rows(self, rows: list[Any]) -> Scored:
        """Score [{column: value}]."""

    def lists(self, rows: list[Any]) -> list[list[float]]:
        """Score [{column: value}] into Python's own lists."""

    def batch(self, batch: pa.RecordBatch | pa.Table) -> Scored:
        """Score a RecordBatch or Table; a column that it lacks is null in every row."""

    def json(self, body: bytes) -> Scored:
        """Score {"instances": [{column: value}]}."""

    def json_lines(self, body: bytes) -> Scored:
        """Score one JSON object a line."""

    def csv(self, body: bytes, header: bool) -> Scored:
        """Score cells in the order of the columns, or in any order under a header."""

    def set_limits(self, limits: list[Limit], listed: bool) -> None:
        """Set the limits that `reply_within` checks bodies against; `listed`: an answer is a list of scores."""

    def reply_within(self, body: bytes, form: int) -> tuple[bytes, int] | None:
        """Return (the reply, its rows) where every row of the body is within the limits; None where any may not be.

        `form` is that of `answers/media_types.py`.
        """
