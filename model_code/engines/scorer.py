"""One seam for all who score: the kernel where it is built, else numpy on the same plan, else scikit-learn where no
plan could be.

The three give the same answers at different speeds. A model that came as tensors is ONNX Runtime's. Scores are (rows,
classes) float64, for a regression (rows, 1).
"""

import json
from pathlib import Path

from model_code.kernel import BUILT

PLAN_FILE, MODEL_FILE, COLUMNS_FILE = "plan.bin", "model.joblib", "columns.json"
ONNX_FILE, SIGNATURE_FILE = "model.onnx", "signature.json"
ENGINES = ("kernel", "numpy", "scikit-learn")


def load_scorer(folder, *, columns=None, ignored=(), engine=None):
    """The folder of `plan.bin` and/or `model.joblib`, or of `model.onnx`, -> Scorer.

    `columns`, or a file `columns.json` in the folder, [{"name", "kind"}] in the order the pipeline was fitted, is
    needed only where there is no plan. `ignored` names what rows may carry without its being read. `engine` forces one
    of ENGINES.
    """
    # each engine is imported where it is chosen: a server on the kernel starts without numpy and scikit-learn
    folder, ignored = Path(folder), tuple(ignored)
    if (folder / ONNX_FILE).exists():
        from model_code.engines.onnx_engine import open_engine

        return Scorer(open_engine(folder / ONNX_FILE, folder / SIGNATURE_FILE, ignored))
    has_plan = (folder / PLAN_FILE).exists()
    if engine == "scikit-learn" or (engine is None and not has_plan):
        from model_code.plan.engines import PipelineEngine

        columns = json.loads((folder / COLUMNS_FILE).read_text()) if columns is None else columns
        return Scorer(PipelineEngine(folder / MODEL_FILE, columns, ignored))
    data = (folder / PLAN_FILE).read_bytes()
    if engine == "kernel" and not BUILT:
        raise FileNotFoundError("the kernel is not built: run python -m model_code.kernel.build")
    if engine != "numpy" and BUILT:
        from model_code.kernel.engine import KernelEngine

        return Scorer(KernelEngine(data, ignored))
    from model_code.plan.engines import PlanEngine

    return Scorer(PlanEngine(data, ignored))


class Scorer:
    """Scores bodies, rows and batches. The first refused row raises RowRefused, unless the caller gives a list of
    `refusals` to add all of them to: then a refused row's scores are NaN.
    """

    def __init__(self, engine):
        self.engine = engine.name
        self.columns = [{"name": column.name, "kind": column.kind} for column in engine.columns]
        self.classes, self.task = list(engine.classes), engine.task
        self._engine = engine
        # (body, 0 JSON, 1 lines or 2 CSV) -> (the reply, its rows), or None where not every row is sure to keep the
        # limits
        self.reply_within = engine.reply_within

    def score_rows(self, rows, *, refusals=None):
        """[{column: value}] -> scores; None, NaN and no entry are missing."""
        return _kept(self._engine.rows(rows), refusals)

    def score_lists(self, rows):
        """[{column: value}] -> [[score]] without numpy where the kernel is built; NaN for a refused row."""
        return self._engine.lists(rows)

    def hold_to(self, limits, *, listed):
        """`model_code/engines/limits.py`: what reply_within holds bodies to. `listed`: a row's answer is the list of
        its scores.
        """
        self._engine.hold_to(limits, listed)

    def score_batch(self, batch, *, refusals=None):
        """pyarrow RecordBatch -> scores. A column that it lacks is missing in every row, one of no use is not read."""
        return _kept(self._engine.batch(batch), refusals)

    def score_json(self, body, *, refusals=None):
        """{"instances": [...]} as bytes -> scores."""
        return _kept(self._engine.json(body), refusals)

    def score_json_lines(self, body, *, refusals=None):
        """One JSON object a line -> scores."""
        return _kept(self._engine.json_lines(body), refusals)

    def score_csv(self, body, *, header=False, refusals=None):
        """CSV in the order of the columns, or in any order under a header -> scores."""
        return _kept(self._engine.csv(body, header), refusals)


def _kept(result, refusals):
    answer, refused = result
    if refusals is not None:
        refusals.extend(refused)
    elif refused:
        raise refused[0]
    return answer
