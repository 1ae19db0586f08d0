"""An artefact of the stage's own contract, trained by the pipeline's own code, for functions that answer with it."""

import atexit
import functools
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from model_code import train
from model_code.answers.answering import respond
from model_code.artefact.archive import pack
from model_code.artefact.folder import MANIFEST, open_artefact, sha256
from model_code.rows.tables import check_block
from model_code.rows.window import WindowRows
from tests.lambdas import stage
from tests.lambdas.request.predict.asking import row

KEY = "artefacts/run-1/gradient_boosting/output/model.tar.gz"
URI = f"s3://{stage.LAKE}/{KEY}"
MODELS = Path(tempfile.mkdtemp(prefix="fairway-trained-"))
atexit.register(shutil.rmtree, MODELS, ignore_errors=True)
ABOUT = {"candidate": "c", "parameters": {}, "seed": 7, "data_window": None, "code_version": "image-1"}
ROWS = [
    row(f"UA-{n}", hour=n % 24, minute=n % 60, carrier=("UA", "AA")[n % 2], distance=200 + 37 * n, late=n % 5 < n % 3)
    for n in range(300)
]


@functools.cache
def model(candidate: str = "gradient_boosting") -> Path:
    """The folder of a model that was trained once for all tests; `neighbours` is one that no plan expresses."""
    folder = MODELS / candidate
    table = pa.Table.from_batches([check_block(stage.CONTRACT, ROWS, with_target=True).accepted])
    fitted = _neighbours(table) if candidate == "neighbours" else _fitted(candidate, table)
    train.write(folder, fitted, stage.CONTRACT, WindowRows(table, 0, Counter(), 0), about=ABOUT)
    return folder


def _fitted(candidate: str, table: pa.Table) -> train.Fitted:
    return train.fit(candidate, stage.CONTRACT, table, parameters={}, seed=7)


def _neighbours(table: pa.Table) -> train.Fitted:
    place = [column.name for column in stage.CONTRACT.features].index("hour")
    pipeline = make_pipeline(ColumnTransformer([("hour", "passthrough", [place])]), KNeighborsClassifier(n_neighbors=3))
    features, labels = train.matrix(stage.CONTRACT, table), train.target(stage.CONTRACT, table)
    return train.Fitted(pipeline.fit(features, labels), len(labels), None)


def archive_of(folder: Path) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        pack(folder, Path(scratch, "model.tar.gz"))
        return Path(scratch, "model.tar.gz").read_bytes()


def reply(folder: Path, row: dict) -> bytes:
    """The endpoint's reply to a row as predict sends it: what `serve` answers with."""
    features = {column.name: row[column.name] for column in stage.CONTRACT.features if column.name in row}
    body = json.dumps({"instances": [features], "contract": stage.CONTRACT.hash}).encode()
    return respond(open_artefact(folder), body).body


def signed(folder: Path) -> str:
    """What is signed of the model."""
    return sha256(folder / MANIFEST)
