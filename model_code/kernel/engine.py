"""The kernel as an engine of `model_code/scorer.py`: a plan file in, numpy arrays or the bytes of a reply out."""

import hashlib
import json
from typing import NamedTuple

from model_code.kernel import _kernel
from model_code.refusals import PlanCorrupt

HEADER_BYTES = 52  # magic 8, version 4, length 8, sha256 32: `model_code/plan/format.py`
MAGIC, VERSION = b"FAIRPLAN", 1


class KernelColumn(NamedTuple):
    name: str
    kind: str


def checked_body(data):
    """The body of a plan file whose header and hash hold. Its structure is the kernel's to check."""
    header, body = bytes(data[:HEADER_BYTES]), memoryview(data)[HEADER_BYTES:]
    version, length = (int.from_bytes(header[at:end], "little") for at, end in ((8, 12), (12, 20)))
    if len(header) < HEADER_BYTES or header[:8] != MAGIC:
        raise PlanCorrupt(f"a plan begins with {MAGIC!r} and a header of {HEADER_BYTES} bytes, found {header[:8]!r}")
    if version != VERSION:
        raise PlanCorrupt(f"this program reads plan version {VERSION}, found {version}: compile the model again")
    if length != len(body) or header[20:] != hashlib.sha256(body).digest():
        raise PlanCorrupt("the bytes of the plan do not match their length and sha256")
    return body


class KernelEngine:
    name = "kernel"

    def __init__(self, data, ignored):
        self._kernel = _kernel.Kernel(checked_body(data), tuple(ignored))
        self.task, classes, columns = self._kernel.describe()
        self.classes = _labels(classes)
        self.columns = tuple(KernelColumn(*column) for column in columns)

    def reply_json(self, body, threshold):
        return self._kernel.reply_json(body, threshold)

    def json(self, body):
        return self._matrix(self._kernel.score_json(body))

    def json_lines(self, body):
        return self._matrix(self._kernel.score_json_lines(body))

    def csv(self, body, header):
        return self._matrix(self._kernel.score_csv(body, header))

    def rows(self, rows):
        """Dicts go through JSON: cheaper than a column at a time, and judged by the same reader. A NaN is missing."""
        plain = [{k: None if v != v else v for k, v in row.items()} if isinstance(row, dict) else row for row in rows]
        return self.json(json.dumps({"instances": plain}, default=_plain).encode())

    def batch(self, batch):
        """A RecordBatch, or a Table as one: its chunks are joined."""
        if not hasattr(batch, "__arrow_c_array__"):
            batch = batch.to_struct_array().combine_chunks()
        return self._matrix(self._kernel.score_arrow(*batch.__arrow_c_array__()))

    def _matrix(self, scored):
        import numpy as np  # not at the top: a server that only replies to JSON starts without it

        scores, refusals = scored
        return np.frombuffer(scores, np.float64).reshape(-1, len(self.classes) or 1), refusals


def _labels(classes):
    try:
        return [json.loads(label) for label in classes]
    except json.JSONDecodeError as error:
        raise PlanCorrupt(f"a class label is not JSON: {error}") from error


def _plain(value):
    """numpy's numbers and booleans as Python's."""
    return value.item() if hasattr(value, "item") else str(value)
