"""The kernel as an engine of `engines/scorer.py`: a plan file in, numpy arrays or the bytes of a reply out."""

import json
import math
from typing import NamedTuple

from model_code.kernel import _kernel
from model_code.kernel.header import checked_body
from model_code.refusals import PlanCorrupt


class KernelColumn(NamedTuple):
    name: str
    kind: str


class KernelEngine:
    name = "kernel"

    def __init__(self, data, ignored):
        self._kernel = _kernel.Kernel(checked_body(data), tuple(ignored))
        self.task, classes, columns = self._kernel.describe()
        self.classes = _labels(classes)
        self.columns = tuple(KernelColumn(*column) for column in columns)
        self.reply_within = self._kernel.reply_within  # as it is: a call in between would cost a tenth of the answer

    def json(self, body):
        return self._matrix(self._kernel.score_json(body))

    def json_lines(self, body):
        return self._matrix(self._kernel.score_json_lines(body))

    def csv(self, body, header):
        return self._matrix(self._kernel.score_csv(body, header))

    def rows(self, rows):
        return self.json(rows_as_json(rows))

    def set_limits(self, limits, listed):
        self._kernel.set_limits(limits, listed)

    def lists(self, rows):
        return self._lists(self._kernel.score_json(rows_as_json(rows))[0])

    def batch(self, batch):
        """A RecordBatch, or a Table as one: its chunks are joined."""
        if not hasattr(batch, "__arrow_c_array__"):
            batch = batch.to_struct_array().combine_chunks()
        return self._matrix(self._kernel.score_arrow(*batch.__arrow_c_array__()))

    def _lists(self, scores):
        values, width = memoryview(scores).cast("d").tolist(), len(self.classes) or 1
        return [values[start : start + width] for start in range(0, len(values), width)]

    def _matrix(self, scored):
        import numpy as np  # not at the top: a server that only replies to JSON starts without it

        scores, refusals = scored
        return np.frombuffer(scores, np.float64).reshape(-1, len(self.classes) or 1), refusals


def rows_as_json(rows):
    """Dicts go through JSON: cheaper than a column at a time, and judged by the same reader. A NaN is missing."""
    plain = [{name: _present(value) for name, value in row.items()} if isinstance(row, dict) else row for row in rows]
    return json.dumps({"instances": plain}, default=_plain).encode()


def _labels(classes):
    try:
        return [json.loads(label) for label in classes]
    except (ValueError, RecursionError) as error:  # ValueError: a whole number of more digits than Python reads, too
        raise PlanCorrupt(f"a class label is not JSON: {error}") from error


def _plain(value):
    """numpy's numbers and booleans as Python's."""
    return _present(value.item()) if hasattr(value, "item") else str(value)


def _present(value):
    """JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
