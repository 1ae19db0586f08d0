"""The kernel as an engine of `engines/scorer.py`: a plan file in, numpy arrays or the bytes of a reply out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from model_code.kernel import _kernel
from model_code.kernel.header import checked_body
from model_code.refusals import PlanCorrupt, RowRefused

if TYPE_CHECKING:  # a server that only replies to JSON starts without them
    import pyarrow as pa

    from model_code.engines.engine import Limit, Scored


class KernelColumn(NamedTuple):
    """A column as the plan takes it; kind is number, boolean or category."""

    name: str
    kind: str


class KernelEngine:
    """Executes a plan in C++; its methods are those of `engines/engine.py`."""

    name = "kernel"

    def __init__(self, data: bytes, ignored: tuple[str, ...]):
        self._kernel = _kernel.Kernel(checked_body(data), tuple(ignored))
        self.task, classes, columns = self._kernel.describe()
        self.classes = _labels(classes)
        self.columns = tuple(KernelColumn(*column) for column in columns)
        self.reply_within = self._kernel.reply_within  # as it is: a call in between would cost a tenth of the answer

    def json(self, body: bytes) -> Scored:
        return self._matrix(self._kernel.score_json(body))

    def json_lines(self, body: bytes) -> Scored:
        return self._matrix(self._kernel.score_json_lines(body))

    def csv(self, body: bytes, header: bool) -> Scored:
        return self._matrix(self._kernel.score_csv(body, header))

    def rows(self, rows: list[Any]) -> Scored:
        return self.json(_rows_as_json(rows))

    def set_limits(self, limits: list[Limit], listed: bool) -> None:
        self._kernel.set_limits(limits, listed)

    def lists(self, rows: list[Any]) -> list[list[float]]:
        return self._lists(self._kernel.score_json(_rows_as_json(rows))[0])

    def batch(self, batch: pa.RecordBatch | pa.Table) -> Scored:
        """Score a RecordBatch, or a Table as one: its chunks are joined."""
        if not hasattr(batch, "__arrow_c_array__"):
            batch = batch.to_struct_array().combine_chunks()
        return self._matrix(self._kernel.score_arrow(*batch.__arrow_c_array__()))

    def _lists(self, scores: bytearray) -> list[list[float]]:
        values: list[float] = memoryview(scores).cast("d").tolist()  # type: ignore[assignment]  # typeshed: of int
        width = len(self.classes) or 1
        return [values[start : start + width] for start in range(0, len(values), width)]

    def _matrix(self, scored: tuple[bytearray, list[RowRefused]]) -> Scored:
        import numpy as np  # lazy: a server that only replies to JSON starts without it

        scores, refusals = scored
        return np.frombuffer(scores, np.float64).reshape(-1, len(self.classes) or 1), refusals


def _rows_as_json(rows: list[Any]) -> bytes:
    """Write rows as a JSON body: cheaper than a column at a time, and judged by the same reader. A NaN is null."""
    plain = [{name: _present(value) for name, value in row.items()} if isinstance(row, dict) else row for row in rows]
    return json.dumps({"instances": plain}, default=_plain).encode()


def _labels(classes: list[str]) -> list[Any]:
    try:
        return [json.loads(label) for label in classes]
    except (ValueError, RecursionError) as error:  # ValueError: a whole number of more digits than Python reads, too
        raise PlanCorrupt(f"a class label is not JSON: {error}") from error


def _plain(value: Any) -> Any:
    """Return numpy's numbers and booleans as Python's."""
    return _present(value.item()) if hasattr(value, "item") else str(value)


def _present(value: Any) -> Any:
    """Return null for NaN, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else value
