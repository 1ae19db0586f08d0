"""The table and the model of the batch benchmark: a year of flights, repeated under new keys, and one gradient
boosting.

The model is the pipeline's own recipe with scikit-learn's default size, 100 trees of up to 31 leaves; one fitted
estimator is compiled for the score job and pickled for the peer.
"""

import shutil
from collections import Counter
from pathlib import Path

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from domain.contract.file import read_contract
from domain.contract.schema import Contract
from flights import prepare
from model_code import train
from model_code.rows.tables import read_table, schema_of
from model_code.rows.window import WindowRows

ROOT = Path(__file__).resolve().parents[2]
TRAIN_ROWS = 60_000
ROWS_PER_GROUP = 131_072
PARAMETERS = {"max_iter": 100, "max_leaf_nodes": 31, "learning_rate": 0.1, "l2_regularization": 0.0}


def contract() -> Contract:
    return read_contract(ROOT / "flights/contract.toml", "binary")


def make(folder: Path) -> None:
    """In `folder`: year.parquet, model/ (our artefact) and model.joblib (the peer's)."""
    if (folder / "model.joblib").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    year = _checked_year(folder / "source.parquet")
    pq.write_table(year.drop_columns("late"), folder / "year.parquet")
    rows = year.slice(0, TRAIN_ROWS)
    fitted = _on_frame(
        train.fit("gradient_boosting", contract(), rows, parameters=PARAMETERS, seed=0), rows.to_pandas()
    )
    about = {
        "candidate": "gradient_boosting",
        "parameters": PARAMETERS,
        "seed": 0,
        "data_window": {},
        "code_version": "bench",
    }
    train.write(folder / "model", fitted, contract(), WindowRows(rows, 0, Counter()), about=about)
    joblib.dump(fitted.estimator, folder / "model.joblib")


def _checked_year(source: Path) -> pa.Table:
    """All flights that the contract accepts, in its types."""
    frame = prepare.table()
    frame["late"] = frame["late"].map({"true": True, "false": False})
    frame.to_parquet(source, index=False)
    blocks = read_table(source, contract(), with_target=True)
    return pa.Table.from_batches([block.accepted for block in blocks], schema_of(contract(), with_target=True))


def features() -> list[str]:
    return [column.name for column in contract().features]


def _on_frame(fitted: train.Fitted, frame: pd.DataFrame) -> train.Fitted:
    """The recipe fitted once more as users of scikit-learn fit it, so that one model can be asked by both."""
    cut, rows, late = fitted.fit_rows, frame[features()], frame["late"].astype(int)
    pipeline = clone(fitted.estimator.estimator.estimator).fit(rows[:cut], late[:cut])
    calibrated = CalibratedClassifierCV(FrozenEstimator(pipeline), method="sigmoid").fit(rows[cut:], late[cut:])
    return fitted._replace(estimator=calibrated)


def repeated(folder: Path, rows: int, kind: str) -> Path:
    """The year again and again up to `rows`, each flight with a key of its own, as `parquet` or `csv`."""
    file = folder / f"flights-{rows}.{kind}"
    if file.exists():
        return file
    year = pq.read_table(folder / "year.parquet")
    half = file.with_suffix(".half")
    writer = pq.ParquetWriter(half, year.schema) if kind == "parquet" else arrow_csv.CSVWriter(half, year.schema)
    with writer:
        for number, start in enumerate(range(0, rows, len(year))):
            part = year.slice(0, rows - start)
            keys = pa.compute.binary_join_element_wise(part["flight_id"], str(number), "-")
            part = part.set_column(year.schema.get_field_index("flight_id"), "flight_id", keys)
            writer.write_table(part, **({"row_group_size": ROWS_PER_GROUP} if kind == "parquet" else {}))
    return Path(shutil.move(half, file))
