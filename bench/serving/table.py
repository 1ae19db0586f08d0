"""The table, the model and the requests of the serving benchmark: made once, by the code that makes real ones.

Ten numbers, eight categories of 5 to 200 levels and two booleans; some of them missing. The estimator is the pipeline's
own recipe.
"""

import json
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from domain.contract.schema import Column, Contract
from model_code import train
from model_code.rows.window import WindowRows

NUMBERS = [f"n{i}" for i in range(10)]
LEVELS = {f"c{i}": levels for i, levels in enumerate((5, 8, 12, 20, 35, 60, 120, 200))}
BOOLEANS = ["b0", "b1"]
COLUMNS = [*NUMBERS, *LEVELS, *BOOLEANS]
TRAIN_ROWS, REQUEST_ROWS = 40_000, 500
# Histogram gradient boosting as scikit-learn has it: 100 trees of up to 31 leaves.
PARAMETERS = {"max_iter": 100, "max_leaf_nodes": 31, "learning_rate": 0.1, "l2_regularization": 0.0}


def contract() -> Contract:
    numbers = [
        Column(name, "float", nullable=place >= 2, minimum=-1e6, maximum=1e6) for place, name in enumerate(NUMBERS)
    ]
    categories = [Column(name, "string", nullable=name in ("c1", "c4", "c6")) for name in LEVELS]
    booleans = [Column(name, "boolean") for name in BOOLEANS]
    target = Column("y", "boolean", role="target")
    return Contract("mixed", "binary", (*numbers, *categories, *booleans, target), prior=0.5)


def _make_frame(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    columns = {name: random.standard_normal(rows) * (1 + place) for place, name in enumerate(NUMBERS)}
    chances = {name: 1.0 / np.arange(1, levels + 1) ** 0.8 for name, levels in LEVELS.items()}
    codes = {name: random.choice(len(each), rows, p=each / each.sum()) for name, each in chances.items()}
    flags = {name: random.random(rows) < 0.3 + 0.3 * place for place, name in enumerate(BOOLEANS)}
    weights = np.random.default_rng(7)
    odds = columns["n0"] - 0.5 * np.sin(columns["n1"]) + 0.3 * columns["n0"] * columns["n3"] / 4 + 0.7 * flags["b0"]
    odds += sum(weights.standard_normal(levels)[codes[name]] * 0.6 for name, levels in LEVELS.items())
    texts = {
        name: np.array([f"{name}_level_{level:03d}" for level in range(len(chances[name]))], object)[codes[name]]
        for name in LEVELS
    }
    frame = pd.DataFrame({**{name: values.round(4) for name, values in columns.items()}, **texts, **flags})
    for column in contract().features:
        if column.nullable:
            frame.loc[random.random(rows) < 0.05, column.name] = None
    frame["y"] = random.random(rows) < 1 / (1 + np.exp(-(odds - np.median(odds))))
    return frame


def records(frame: pd.DataFrame) -> list[dict]:
    return [
        {name: None if value != value else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def make(folder: Path) -> None:
    """In `folder`: model/ (our artefact), model.joblib (the same estimator for the peers), rows, expected answers."""
    if (folder / "expected.json").exists():
        return
    rules, frame = contract(), _make_frame(TRAIN_ROWS, seed=1)
    table = pa.Table.from_pylist(records(frame), schema=pa.schema([(c.name, ARROW[c.type]) for c in rules.columns]))
    with threadpool_limits(limits=1):
        fitted = train.fit("gradient_boosting", rules, table, parameters=PARAMETERS, seed=0)
        peers = _fitted_on_frame(fitted, frame)
    about = {
        "candidate": "gradient_boosting",
        "parameters": PARAMETERS,
        "seed": 0,
        "data_window": {},
        "code_version": "bench",
    }
    train.write(folder / "model", fitted, rules, WindowRows(table, 0, Counter()), about=about)
    asked = records(_make_frame(REQUEST_ROWS, seed=2).drop(columns="y"))
    joblib.dump(peers, folder / "model.joblib")
    (folder / "rows.json").write_text(json.dumps(asked))
    scores = peers.predict_proba(pd.DataFrame(asked, columns=COLUMNS))[:, 1]
    (folder / "expected.json").write_text(json.dumps(scores.tolist()))


def _fitted_on_frame(fitted: train.Fitted, frame: pd.DataFrame):
    """The same estimator as scikit-learn's users have it, fitted on a data frame: the peers serve this one."""
    cut, rows = fitted.fit_rows, frame[COLUMNS]
    pipeline = clone(fitted.estimator.estimator.estimator).fit(rows[:cut], frame["y"][:cut])
    return CalibratedClassifierCV(FrozenEstimator(pipeline), method="sigmoid").fit(rows[cut:], frame["y"][cut:])


ARROW = {"float": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
