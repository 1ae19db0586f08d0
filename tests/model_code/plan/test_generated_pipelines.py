"""Whatever is fitted of what a plan takes: kernel, numpy and scikit-learn agree on it, row by row and to the last
bit.
"""

import io
import os
import warnings
from collections import Counter

import joblib
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from model_code import kernel
from model_code.plan import PlanRefused, compile_plan
from model_code.plan.engines import PipelineEngine, PlanEngine
from tests.model_code.kernel.test_engine import batch_of, body_of, csv_of, same
from tests.model_code.pipelines import COLUMNS, HOSTILE, NAMES, TEXTS, expected, hostile_rows, matrix_of
from tests.model_code.plan.drawn import fitted, framed

# A CPU second each; thousands for a search: `FAIRWAY_EXAMPLES=5000 pytest ...`
EXAMPLES = int(os.environ.get("FAIRWAY_EXAMPLES", "30"))
HUGE = [2**63, 10**25, -(2**70), 0, 1]
# BLAS adds in another order, which shows where the terms differ in size: a linear model is not asked about these
MODERATE = [value for value in HOSTILE if value is None or abs(value) < 1e7]
INFINITE = [np.inf, -np.inf]

pytestmark = pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")


@st.composite
def rows_for(draw, linear):
    """Usual rows with hostile values in some places, more of them in some examples than in others."""
    rows = hostile_rows(draw(st.integers(0, 999)), rows=40)
    numbers = MODERATE if linear else [*HOSTILE, *HUGE]
    if linear:
        rows = [
            {name: value for name, value in row.items() if not isinstance(value, float) or abs(value) < 1e7}
            for row in rows
        ]
    values = (
        [st.sampled_from(numbers)] * 3
        + [st.sampled_from(TEXTS) | st.text(max_size=6)] * 2
        + [st.sampled_from([None, True, False])]
    )
    for place, column in draw(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 5)), max_size=20)):
        rows[place][NAMES[column]] = draw(values[column])
    return rows


def answers(case, rows):
    """scikit-learn's own, or None where it refuses one of the rows."""
    # twice, as for one row alone scikit-learn adds eight classes and more in another order
    matrix = matrix_of([*rows, *rows])
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            return expected(case.pipeline, framed(matrix) if case.framed else matrix)[: len(rows)]
        except ValueError:
            return None


def agree(case, found, rows):
    """Every row that is answered has scikit-learn's answer, every row that is refused scikit-learn refuses too."""
    scores, refusals = found
    refused = {refusal.row for refusal in refusals}
    kept = [i for i in range(len(rows)) if i not in refused]
    wanted = answers(case, [rows[i] for i in kept]) if kept else scores[:0]
    assert wanted is not None, "scikit-learn refuses a row that the plan answers"
    if case.linear:
        np.testing.assert_allclose(scores[kept], wanted, rtol=1e-9, atol=1e-9)
    else:
        np.testing.assert_array_equal(scores[kept], wanted)
    # the one place where a plan is stricter: an infinite number that an encoder or imputer takes
    finite = [i for i in refused if not any(isinstance(value, float) and np.isinf(value) for value in rows[i].values())]
    assert [rows[i] for i in finite if answers(case, [rows[i]]) is not None] == []


def without_empty_texts(rows):
    """A CSV cell cannot tell an empty text from a missing one."""
    return [{name: value for name, value in row.items() if value != ""} for row in rows]


def test_kernel_numpy_and_scikit_learn_answer_alike_whatever_is_fitted():
    tally = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=fitted(), data=st.data())
    def each(case, data):
        plan = compiled(case)
        tally["compiled" if plan else "refused"] += 1
        if plan:
            answer_alike(case, plan, data.draw(rows_for(case.linear)))

    each()
    assert tally["refused"] < tally["compiled"] / 10, tally


def answer_alike(case, plan, rows):
    from model_code.kernel.engine import KernelEngine

    in_kernel, in_numpy = KernelEngine(plan, ()), PlanEngine(plan, ())
    wanted = in_numpy.rows(rows)
    same(in_kernel.json(body_of(rows)), wanted)
    agree(case, wanted, rows)
    named = without_empty_texts(rows)
    for engine in (in_kernel, in_numpy):
        same(engine.csv(csv_of(named), False), in_numpy.rows(named))
    floats = [as_floats(row) for row in rows]
    if not case.linear:
        floats = [{**row, NAMES[i % 3]: INFINITE[i % 2]} if i % 5 == 0 else row for i, row in enumerate(floats)]
    batch = batch_of(floats)
    same(in_kernel.batch(batch), in_numpy.batch(batch))
    same(in_kernel.batch(in_dictionaries(batch)), in_numpy.batch(batch))
    agree(case, in_numpy.batch(batch), floats)
    without_a_plan(case, rows[:8], {refusal.row for refusal in wanted[1] if refusal.row < 8})


def without_a_plan(case, rows, refused):
    """What serves a pipeline that no plan can express; where it asks row by row, sums of eight classes end in other
    bits.
    """
    file = io.BytesIO()
    joblib.dump(case.pipeline, file)
    file.seek(0)
    with threadpool_limits(1):
        found = PipelineEngine(file, COLUMNS, ()).rows(rows)
    agree(case._replace(linear=True), found, rows)
    assert {refusal.row for refusal in found[1]} == refused


def as_floats(row):
    return {name: float(value) if type(value) is int else value for name, value in row.items()}


def in_dictionaries(batch):
    columns = [column.dictionary_encode() if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


ALLOWED = [
    "scikit-learn refuses every row with a missing or unknown value in it",
    "a fold that has not seen every class",
]


def compiled(case):
    try:
        return compile_plan(case.pipeline, COLUMNS)
    except PlanRefused as refusal:
        assert any(reason in str(refusal) for reason in ALLOWED), refusal  # noqa: PT017 - either outcome is right; a refusal is looked at
        return None
