"""Loads a model and scores with the fastest engine available: C++ kernel, numpy plan, or scikit-learn.

The three give the same answers at different speeds. A model that came as tensors is ONNX Runtime's. Scores are (rows,
classes) float64, for a regression (rows, 1).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_code.kernel import BUILT
from model_code.refusals import RowRefused
from model_code.rows.features import ModelColumn

if TYPE_CHECKING:  # a server on the kernel starts without them
    import pyarrow as pa

    from model_code.engines.engine import Engine, Limit, Scored, Scores

PLAN_FILE, MODEL_FILE, COLUMNS_FILE = "plan.bin", "model.joblib", "columns.json"
ONNX_FILE, SIGNATURE_FILE = "model.onnx", "signature.json"
ENGINES = ("kernel", "numpy", "scikit-learn")


def load_scorer(
    folder: Path,
    *,
    columns: list[ModelColumn] | None = None,
    ignored: Iterable[str] = (),
    engine: str | None = None,
) -> Scorer:
    """Load the folder's `plan.bin`, `model.joblib` or `model.onnx`.

    `columns`, or a file `columns.json` in the folder, [{"name", "kind"}] in the order the pipeline was fitted, is
    needed only where there is no plan. `ignored` are columns that rows may have and no model reads. `engine` forces one
    of ENGINES.
    """
    return Scorer(_opened(Path(folder), columns, tuple(ignored), engine))


def _opened(folder: Path, columns: list[ModelColumn] | None, ignored: tuple[str, ...], engine: str | None) -> Engine:
    if (folder / ONNX_FILE).exists():
        from model_code.engines.onnx_engine import open_engine  # lazy: only ONNX models need its runtime

        return open_engine(folder / ONNX_FILE, folder / SIGNATURE_FILE, ignored)
    if engine == "scikit-learn" or (engine is None and not (folder / PLAN_FILE).exists()):
        from model_code.plan.engines import PipelineEngine  # lazy: only such a model needs scikit-learn

        columns = json.loads((folder / COLUMNS_FILE).read_text()) if columns is None else columns
        return PipelineEngine(folder / MODEL_FILE, columns, ignored)
    if engine == "kernel" and not BUILT:
        raise FileNotFoundError("the kernel is not built: run python -m model_code.kernel.build")
    data = (folder / PLAN_FILE).read_bytes()
    if engine != "numpy" and BUILT:
        from model_code.kernel.engine import KernelEngine  # lazy: it is there only if the kernel was built

        return KernelEngine(data, ignored)
    from model_code.plan.engines import PlanEngine  # lazy: a server on the kernel starts without numpy

    return PlanEngine(data, ignored)


class Scorer:
    """Scores bodies, rows and batches.

    The first refused row raises RowRefused, unless the caller passes a list of `refusals` to collect all of them: then
    a refused row's scores are NaN.
    """

    def __init__(self, engine: Engine):
        self.engine = engine.name
        self.columns = [{"name": column.name, "kind": column.kind} for column in engine.columns]
        self.classes, self.task = list(engine.classes), engine.task
        self._engine = engine
        self.reply_within = engine.reply_within  # as it is: a call in between would cost a tenth of the answer

    def score_rows(self, rows: list[Any], *, refusals: list[RowRefused] | None = None) -> Scores:
        """Score [{column: value}]; None, NaN and no entry are null."""
        return _kept(self._engine.rows(rows), refusals)

    def score_lists(self, rows: list[Any]) -> list[list[float]]:
        """Score [{column: value}] into lists, without numpy if the kernel is built; NaN for a refused row."""
        return self._engine.lists(rows)

    def set_limits(self, limits: list[Limit], *, listed: bool) -> None:
        """Set the limits (`limits.py`) that `reply_within` checks bodies against.

        `listed`: a row's answer is the list of its scores.
        """
        self._engine.set_limits(limits, listed)

    def score_batch(self, batch: pa.RecordBatch | pa.Table, *, refusals: list[RowRefused] | None = None) -> Scores:
        """Score a batch. A column that it lacks is null in every row; a column that no model takes is not read."""
        return _kept(self._engine.batch(batch), refusals)

    def score_json(self, body: bytes, *, refusals: list[RowRefused] | None = None) -> Scores:
        """Score {"instances": [...]}."""
        return _kept(self._engine.json(body), refusals)

    def score_json_lines(self, body: bytes, *, refusals: list[RowRefused] | None = None) -> Scores:
        """Score one JSON object a line."""
        return _kept(self._engine.json_lines(body), refusals)

    def score_csv(self, body: bytes, *, header: bool = False, refusals: list[RowRefused] | None = None) -> Scores:
        """Score CSV in the order of the columns, or in any order under a header."""
        return _kept(self._engine.csv(body, header), refusals)


def _kept(result: Scored, refusals: list[RowRefused] | None) -> Scores:
    scores, refused = result
    if refusals is not None:
        refusals.extend(refused)
    elif refused:
        raise refused[0]
    return scores
