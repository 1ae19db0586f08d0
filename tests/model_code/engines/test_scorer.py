"""The seam of serve, score and evaluate: one folder, three engines, the same answers."""

import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from model_code import kernel
from model_code.engines.scorer import ENGINES, load_scorer
from model_code.plan import compile_plan
from model_code.refusals import RowRefused
from tests.model_code.kernel.test_engine import batch_of
from tests.model_code.pipelines import COLUMNS, FITTED, expected, hostile_rows, matrix_of, table
from tests.model_code.plan.drawn import framed

ENGINES_HERE = [
    pytest.param(e, marks=pytest.mark.skipif(e == "kernel" and not kernel.BUILT, reason="the kernel is not built"))
    for e in ENGINES
]
ROW = {"distance": 700.0, "delay": 12.5, "month": 3, "carrier": "UA", "città": "Zürich", "night": False}


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    """name of a case -> a folder as training leaves it."""

    def make(name):
        folder = tmp_path_factory.mktemp("artefact")
        joblib.dump(FITTED[name], folder / "model.joblib")
        (folder / "plan.bin").write_bytes(compile_plan(FITTED[name], COLUMNS))
        (folder / "columns.json").write_text(json.dumps(COLUMNS))
        return folder

    return make


@pytest.mark.parametrize("engine", ENGINES_HERE)
@pytest.mark.parametrize("name", ["histogram, native categories", "isotonic, three classes", "forest regression"])
def test_every_engine_gives_the_same_scores_in_every_form(artefact, engine, name):
    scorer = load_scorer(artefact(name), engine=engine)
    rows = hostile_rows(rows=40)
    refused = []
    found = scorer.score_rows(rows, refusals=refused)
    kept = [i for i in range(40) if i not in {refusal.row for refusal in refused}]
    np.testing.assert_array_equal(found[kept], expected(FITTED[name], matrix_of([rows[i] for i in kept])))
    np.testing.assert_array_equal(scorer.score_batch(batch_of(rows), refusals=[]), found)
    np.testing.assert_array_equal(scorer.score_json(json.dumps({"instances": rows}).encode(), refusals=[]), found)
    assert scorer.engine == engine and scorer.columns == COLUMNS
    assert scorer.classes == list(getattr(FITTED[name], "classes_", []))


@pytest.mark.parametrize("engine", ENGINES_HERE)
def test_a_refused_row_raises_or_is_told_in_its_place(artefact, engine):
    scorer = load_scorer(artefact("histogram"), engine=engine)
    body = json.dumps({"instances": [ROW, ROW | {"delay": "late"}, ROW]}).encode()
    with pytest.raises(RowRefused) as raised:
        scorer.score_json(body)
    assert (raised.value.row, raised.value.column) == (1, "delay")
    refusals = []
    good, bad, also_good = scorer.score_json(body, refusals=refusals).tolist()
    assert good == also_good and np.isnan(bad).all() and not np.isnan(good).any()
    told = "row 1, column 'delay': must be a number or null, not \"late\""
    assert [str(refusal) for refusal in refusals] == [told]


@pytest.mark.parametrize("engine", ENGINES_HERE)
def test_columns_that_rows_may_carry_unread_are_not_read(artefact, engine):
    folder = artefact("histogram")
    scorer = load_scorer(folder, engine=engine, ignored=("flight_id",))
    np.testing.assert_array_equal(scorer.score_rows([ROW | {"flight_id": "UA1"}]), scorer.score_rows([ROW]))
    with pytest.raises(RowRefused, match="'flight_id': must be a column of the model"):
        load_scorer(folder, engine=engine).score_rows([ROW | {"flight_id": "UA1"}])


@pytest.mark.parametrize("engine", ENGINES_HERE)
def test_a_table_of_chunks_is_scored_as_its_rows(artefact, engine):
    scorer = load_scorer(artefact("histogram"), engine=engine)
    batch = batch_of(hostile_rows(rows=50))
    table = pa.Table.from_batches([batch.slice(0, 20), batch.slice(20)])
    np.testing.assert_array_equal(scorer.score_batch(table), scorer.score_batch(batch))
    assert scorer.score_batch(table.slice(0, 0)).shape == (0, 2)


def test_a_folder_without_a_plan_is_served_by_scikit_learn(artefact):
    folder = artefact("forest")
    (folder / "plan.bin").unlink()
    scorer = load_scorer(folder)
    assert scorer.engine == "scikit-learn"
    np.testing.assert_array_equal(scorer.score_rows([ROW]), expected(FITTED["forest"], matrix_of([ROW])))


def test_a_row_that_scikit_learn_refuses_spoils_no_other(artefact):
    scorer = load_scorer(artefact("forest"), engine="scikit-learn")
    refusals = []
    scores = scorer.score_rows([ROW, ROW | {"distance": 1e300}, ROW], refusals=refusals)
    np.testing.assert_array_equal(scores[0], scores[2])
    assert [refusal.row for refusal in refusals] == [1] and np.isnan(scores[1]).all()


def test_a_pipeline_fitted_on_a_data_frame_takes_a_text_that_is_missing_in_every_row(tmp_path):
    """pandas would make a column of numbers of it, which an encoder of texts does not take."""
    matrix, target, *_ = table()
    pipeline = make_pipeline(
        ColumnTransformer([("c", OneHotEncoder(), ["carrier"])]), DecisionTreeClassifier(random_state=0)
    )
    joblib.dump(pipeline.fit(framed(matrix), target), tmp_path / "model.joblib")
    (tmp_path / "columns.json").write_text(json.dumps(COLUMNS))
    wanted = pipeline.predict_proba(framed(matrix_of([{}, {"carrier": "UA"}])))
    np.testing.assert_array_equal(load_scorer(tmp_path).score_rows([{}]), wanted[:1])


@pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")
def test_a_server_on_the_kernel_starts_without_numpy_and_scikit_learn(artefact):
    program = (
        "import sys; from model_code.engines.scorer import load_scorer\n"
        f"load_scorer({str(artefact('histogram'))!r}).score_lists([{{}}])\n"
        "print(sorted({'numpy', 'sklearn', 'scipy', 'pyarrow'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout.strip() == "[]"
