"""The kernel's answers are numpy's and scikit-learn's, to the last bit, whichever way the rows come in."""

import csv
import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from model_code import kernel
from model_code.plan import compile_plan
from model_code.plan.engines import PlanEngine
from tests.model_code.pipelines import (
    CASES,
    COLUMNS,
    FITTED,
    HOSTILE,
    KINDS,
    LINEAR,
    NAMES,
    TEXTS,
    expected,
    histogram,
    hostile_rows,
    is_refused,
    matrix_of,
    passed_on,
    table,
)

pytestmark = pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")


def engines(name):
    from model_code.kernel.engine import KernelEngine

    data = compile_plan(FITTED[name], COLUMNS)
    return KernelEngine(data, ()), PlanEngine(data, ())


@pytest.fixture(scope="module")
def both():
    made = {}

    def get(name):
        if name not in made:
            made[name] = engines(name)
        return made[name]

    return get


def body_of(rows):
    return json.dumps({"instances": rows}).encode()


ARROW = {"number": pa.float64(), "category": pa.string(), "boolean": pa.bool_()}


def batch_of(rows):
    return pa.RecordBatch.from_pydict(
        {name: pa.array([row.get(name) for row in rows], ARROW[KINDS[name]]) for name in NAMES}
    )


def csv_of(rows):
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow(["" if row.get(name) is None else row[name] for name in NAMES])
    return out.getvalue().encode()


def same(found, wanted):
    """Scores equal to the last bit, and the same rows refused with the same words."""
    np.testing.assert_array_equal(
        found[0].view(np.int64) | (found[0] == 0), wanted[0].view(np.int64) | (wanted[0] == 0)
    )
    assert [str(refusal) for refusal in found[1]] == [str(refusal) for refusal in wanted[1]]


@pytest.mark.parametrize("name", CASES)
def test_hostile_rows_have_the_same_answers_from_kernel_numpy_and_scikit_learn(both, name):
    in_kernel, in_numpy = both(name)
    rows = hostile_rows(rows=600)
    wanted = in_numpy.rows(rows)
    same(in_kernel.json(body_of(rows)), wanted)
    same(in_kernel.batch(batch_of(rows)), wanted)
    same(in_numpy.batch(batch_of(rows)), wanted)
    refused = {refusal.row for refusal in wanted[1]}
    kept = [i for i in range(len(rows)) if i not in refused]
    if name not in LINEAR:
        np.testing.assert_array_equal(wanted[0][kept], expected(FITTED[name], matrix_of([rows[i] for i in kept])))


def test_a_processor_without_avx_512_has_them_too():
    """numpy then takes the C library's exp, and so must the kernel."""
    case = "test_hostile_rows_have_the_same_answers_from_kernel_numpy_and_scikit_learn[histogram, three classes]"
    lesser = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{__file__}::{case}"]
    ran = subprocess.run(command, env=lesser, capture_output=True, text=True)
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout


@pytest.mark.parametrize("name", CASES)
def test_a_row_alone_has_the_answer_that_it_has_in_a_batch(both, name):
    in_kernel, _ = both(name)
    rows = hostile_rows(rows=300)
    together = in_kernel.json(body_of(rows))[0]
    alone = np.concatenate([in_kernel.json(body_of([row]))[0] for row in rows])
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("name", ["logistic", "histogram, native categories", "forest", "isotonic, three classes"])
def test_csv_has_the_answers_of_json(both, name):
    in_kernel, in_numpy = both(name)
    # a CSV cell cannot tell an empty text from a missing one
    rows = [{k: v for k, v in row.items() if v != ""} for row in hostile_rows()]
    body = csv_of(rows)
    same(in_kernel.csv(body, False), in_kernel.json(body_of(rows)))
    same(in_numpy.csv(body, False), in_kernel.json(body_of(rows)))
    shuffled = ["night", "città", "delay", "month", "carrier", "distance"]
    headed = csv_of([dict(zip(NAMES, shuffled, strict=True))]) + csv_of(
        [{n: row.get(m) for n, m in zip(NAMES, shuffled, strict=True)} for row in rows]
    )
    same(in_kernel.csv(headed, True), in_kernel.json(body_of(rows)))
    same(in_numpy.csv(headed, True), in_kernel.json(body_of(rows)))


@pytest.mark.parametrize(
    "type_",
    [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(), pa.float32()],
)
def test_numbers_of_every_arrow_width_are_taken(both, type_):
    in_kernel, in_numpy = both("histogram")
    values = pa.array([None, 1, 7, 12, 100, 127], type_)
    batch = pa.RecordBatch.from_pydict({"distance": values, "month": values})
    same(in_kernel.batch(batch), in_numpy.batch(batch))
    same(in_kernel.batch(batch), in_numpy.rows([{"distance": v, "month": v} for v in values.to_pylist()]))


@pytest.mark.parametrize(
    "texts",
    [
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
)
def test_texts_of_every_arrow_kind_are_taken_from_slices_too(both, texts):
    in_kernel, in_numpy = both("histogram, native categories")
    rows = hostile_rows(rows=700)
    batch = batch_of(rows)
    plain = pa.array([row.get("carrier") for row in rows], pa.string())
    carrier = plain.dictionary_encode().cast(texts) if pa.types.is_dictionary(texts) else plain.cast(texts)
    batch = batch.set_column(NAMES.index("carrier"), "carrier", carrier)
    same(in_kernel.batch(batch), in_numpy.rows(rows))
    same(in_kernel.batch(batch.slice(3, 301)), in_numpy.rows(rows[3:304]))


def test_a_batch_without_a_column_or_of_nulls_is_of_missing_values(both):
    in_kernel, in_numpy = both("histogram, native categories")
    batch = pa.RecordBatch.from_pydict(
        {"carrier": pa.nulls(300), "delay": pa.array(np.arange(300.0)), "unread": pa.array(["x"] * 300)}
    )
    same(in_kernel.batch(batch), in_numpy.rows([{"delay": float(i)} for i in range(300)]))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("carrier", pa.array([1])),
        ("delay", pa.array(["1"])),
        ("night", pa.array([1.0])),
        ("delay", pa.array(["1"]).dictionary_encode()),
    ],
)
def test_a_column_of_the_wrong_arrow_type_is_refused_by_name(both, column, values):
    from model_code.refusals import BodyRefused

    for engine in both("histogram"):
        with pytest.raises(BodyRefused, match=f"column '{column}' is .*: must be "):
            engine.batch(pa.RecordBatch.from_pydict({column: values}))


def test_an_empty_batch_has_no_answers(both):
    for engine in both("isotonic, three classes"):
        assert engine.batch(batch_of([]))[0].shape == (0, 3)
        assert engine.json(b'{"instances": []}')[0].shape == (0, 3)
        assert engine.csv(b"\n\r\n", False)[0].shape == (0, 3)


def test_threads_that_score_at_once_do_not_disturb_each_other(both):
    in_kernel, _ = both("forest")
    bodies = [body_of(hostile_rows(seed, rows=400)) for seed in range(4)]
    wanted = [in_kernel.json(body)[0] for body in bodies]
    found = [None] * 4

    def work(i):
        found[i] = [in_kernel.json(bodies[i])[0] for _ in range(10)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        for scores in found[i]:
            np.testing.assert_array_equal(scores, wanted[i])


VALUES = {
    "number": st.none()
    | st.sampled_from(HOSTILE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**70), 2**70),
    "category": st.none() | st.sampled_from(TEXTS) | st.text(max_size=12),
    "boolean": st.none() | st.booleans(),
}
ROW = st.fixed_dictionaries({}, optional={name: VALUES[kind] for name, kind in KINDS.items()})


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from([name for name in CASES if name not in LINEAR]), rows=st.lists(ROW, min_size=1, max_size=9))
def test_any_row_at_all_is_answered_alike_by_all_three_or_refused_by_all(both, name, rows):
    in_kernel, in_numpy = both(name)
    found = in_kernel.json(body_of(rows))
    same(found, in_numpy.rows(rows))
    refused = [refusal.row for refusal in found[1]]
    kept = [row for i, row in enumerate(rows) if i not in refused]
    if kept:
        np.testing.assert_array_equal(np.delete(found[0], refused, axis=0), expected(FITTED[name], matrix_of(kept)))
    assert all(is_refused(FITTED[name], rows[i]) for i in refused)


@pytest.mark.parametrize("leaves", [2, 31, 32, 33, 64])
@pytest.mark.parametrize(("trees", "bins", "target"), [(1, 8, 0), (33, 8, 1), (70, 255, 0)])
def test_trees_of_every_size_are_summed_alike(leaves, trees, bins, target):
    from model_code.kernel.engine import KernelEngine

    matrix, *targets = table(leaves, rows=300)
    settings_ = {
        "max_iter": trees,
        "max_leaf_nodes": leaves,
        "min_samples_leaf": 2,
        "max_bins": bins,
        "categorical_features": [3],
    }
    rows = hostile_rows(trees, rows=270)
    with threadpool_limits(1):
        pipeline = make_pipeline(passed_on(), histogram(**settings_)).fit(matrix, targets[target])
        wanted = expected(pipeline, matrix_of(rows))
    np.testing.assert_array_equal(KernelEngine(compile_plan(pipeline, COLUMNS), ()).json(body_of(rows))[0], wanted)
