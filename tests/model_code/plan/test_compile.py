"""A plan answers what scikit-learn answers, to the last bit; what it cannot express is refused by name."""

import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from model_code import kernel
from model_code.plan import PlanRefused, compile_plan, decode, execute
from model_code.plan.execute import answers
from model_code.plan.rows import from_rows
from tests.model_code.pipelines import (
    CASES,
    CATEGORIES,
    COLUMNS,
    FITTED,
    LINEAR,
    NAMES,
    NUMBERS,
    expected,
    histogram,
    hostile_rows,
    is_refused,
    matrix_of,
    one_hot,
    passed_on,
    table,
)


def scored(pipeline, rows):
    """(scores, the rows that were refused) by numpy on the compiled plan."""
    plan = decode(compile_plan(pipeline, COLUMNS))
    columns, _, refused = from_rows(plan.columns, rows)
    assert refused == []
    scores, refusals = answers(plan, columns)
    return scores, [refusal.row for refusal in refusals]


@pytest.mark.parametrize("name", CASES)
def test_hostile_rows_are_answered_as_scikit_learn_answers_them(name):
    pipeline, rows = FITTED[name], hostile_rows()
    scores, refused = scored(pipeline, rows)
    kept = [i for i in range(len(rows)) if i not in refused]
    assert len(kept) > len(rows) / 3
    wanted = expected(pipeline, matrix_of([rows[i] for i in kept]))
    if name in LINEAR:
        # BLAS adds in another order on every machine and for every number of rows
        np.testing.assert_allclose(scores[kept], wanted, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(scores[kept], wanted)
    assert all(is_refused(pipeline, rows[i]) for i in refused)
    assert np.isnan(scores[refused]).all()


def test_nine_classes_are_summed_in_the_order_of_a_batch():
    matrix, _, _, score = table(rows=900)
    target = np.digitize(score, np.quantile(score, np.arange(1, 9) / 9))
    pipeline = make_pipeline(passed_on(), histogram(max_iter=4)).fit(matrix, target)
    rows = hostile_rows()
    np.testing.assert_array_equal(scored(pipeline, rows)[0], expected(pipeline, matrix_of(rows)))


@pytest.mark.parametrize(
    "spec", [[3, 4], slice(3, 5), [-3, -2], np.array([0, 0, 0, 1, 1, 0], bool), ["carrier", "città"]]
)
def test_columns_are_found_by_index_slice_mask_and_name(spec):
    matrix, target, *_ = table()
    if isinstance(spec, list) and isinstance(spec[0], str):
        matrix = pd.DataFrame({name: matrix[:, j] for j, name in enumerate(NAMES)})
    chosen = ColumnTransformer([("c", OneHotEncoder(handle_unknown="ignore"), spec)])
    pipeline = make_pipeline(chosen, RandomForestClassifier(5, random_state=0)).fit(matrix, target)
    plan = decode(compile_plan(pipeline, COLUMNS))
    known = [column for column in plan.columns if column.levels]
    assert [column.name for column in known] == ["carrier", "città"]


def test_a_pipeline_fitted_on_a_data_frame_in_another_order_takes_its_columns_by_name():
    matrix, target, *_ = table()
    frame = pd.DataFrame({name: matrix[:, j] for j, name in reversed(list(enumerate(NAMES)))})
    frame = frame.astype(dict.fromkeys(("distance", "delay", "month", "night"), float))
    filled = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    chosen = ColumnTransformer([("c", filled, ["carrier", "città"])], remainder="passthrough")
    pipeline = make_pipeline(chosen, histogram()).fit(frame, target)
    rows = hostile_rows()
    scores, refused = scored(pipeline, rows)
    wanted = frame.iloc[:0].reindex(range(len(rows))).astype(object)
    for name in NAMES:
        wanted[name] = [np.nan if row.get(name) is None else row[name] for row in rows]
    wanted = wanted.astype(dict.fromkeys(("distance", "delay", "month", "night"), float))
    np.testing.assert_array_equal(scores, pipeline.predict_proba(wanted))
    assert refused == []


def test_an_unknown_category_is_refused_where_the_encoder_refuses_it():
    matrix, target, *_ = table()
    strict = ColumnTransformer([("c", OneHotEncoder(), [3])])
    pipeline = make_pipeline(strict, RandomForestClassifier(5, random_state=0)).fit(matrix, target)
    scores, refused = scored(pipeline, [{"carrier": "UA"}, {"carrier": "??"}, {"carrier": None}])
    assert refused == [1]
    np.testing.assert_array_equal(scores[[0, 2]], expected(pipeline, matrix_of([{"carrier": "UA"}, {}])))


def test_an_encoder_that_refuses_what_is_missing_and_unknown_is_compiled_where_nothing_was_missing():
    matrix, target, *_ = table()
    matrix[:, 3] = np.where(matrix[:, 3] == None, "UA", matrix[:, 3])  # noqa: E711
    for encoder in (OneHotEncoder(), OrdinalEncoder(min_frequency=3)):
        pipeline = make_pipeline(ColumnTransformer([("c", encoder, [3])]), DecisionTreeClassifier(random_state=0)).fit(
            matrix, target
        )
        scores, refused = scored(pipeline, [{"carrier": "UA"}, {}, {"carrier": "??"}])
        assert refused == [1, 2]
        np.testing.assert_array_equal(scores[:1], expected(pipeline, matrix_of([{"carrier": "UA"}])))


STRICT = {
    "a prior reads no feature": ColumnTransformer([("c", OneHotEncoder(), [3]), ("n", OrdinalEncoder(), [2])]),
    "its only category is dropped": ColumnTransformer(
        [("c", OneHotEncoder(drop="first"), [3]), ("n", StandardScaler(), [0])]
    ),
    "the feature is dropped behind it": make_pipeline(
        ColumnTransformer([("c", OrdinalEncoder(), [3]), ("n", "passthrough", [0])]),
        ColumnTransformer([("n", "passthrough", [1])]),
    ),
}


@pytest.mark.parametrize("why", STRICT)
@pytest.mark.parametrize(
    "estimator",
    [DummyClassifier(), DecisionTreeClassifier(max_depth=2), LogisticRegression()],
    ids=["prior", "tree", "linear"],
)
def test_what_a_transformer_refuses_is_refused_though_no_feature_of_it_be_left(why, estimator):
    matrix, target, *_ = table()
    matrix[:, :3], matrix[:, 3] = np.nan_to_num(matrix[:, :3].astype(float), nan=7.0), "UA"
    pipeline = make_pipeline(STRICT[why], estimator).fit(matrix, target)
    rows = [{"carrier": "UA", "month": 7.0, "distance": 1.5}, {"carrier": "??", "month": 7.0, "distance": 1.5}]
    scores, refused = scored(pipeline, rows)
    assert (refused, is_refused(pipeline, rows[1])) == ([1], True)
    np.testing.assert_allclose(scores[:1], expected(pipeline, matrix_of(rows[:1])), rtol=1e-9)


@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(3, random_state=0), DecisionTreeClassifier(random_state=0)]
)
def test_trees_fitted_on_a_sparse_matrix_take_no_missing_number(estimator):
    matrix, target, *_ = table()
    matrix[:, 0] = np.nan_to_num(matrix[:, 0].astype(float))
    chosen = ColumnTransformer(
        [("n", "passthrough", [0]), ("c", OneHotEncoder(handle_unknown="ignore"), [3, 4])], sparse_threshold=1.0
    )
    pipeline = make_pipeline(chosen, estimator).fit(matrix, target)
    assert scored(pipeline, [{"distance": 3.0}, {}])[1] == [1]
    assert is_refused(pipeline, {})


def test_a_further_native_category_tree_is_compiled_in_fewer_calls_than_it_has_nodes():
    """How long that takes is measured by `python -m bench.kernel`; here it is counted, the same on any machine."""
    few, many = (native_category_trees(count) for count in (5, 40))
    assert calls_to_compile(many) - calls_to_compile(few) < nodes_of(many) - nodes_of(few)


def native_category_trees(count):
    matrix, target, *_ = table(rows=3000)
    boosting = histogram(max_iter=count, max_leaf_nodes=31, categorical_features=[3, 4])
    with threadpool_limits(1):
        return make_pipeline(passed_on(), boosting).fit(matrix, target)


def nodes_of(pipeline):
    return sum(len(tree.nodes) for (tree,) in pipeline[-1]._predictors)


def calls_to_compile(pipeline):
    """Of Python's functions and of C's."""
    events = Counter()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, argument: events.update([event]))
    try:
        compile_plan(pipeline, COLUMNS)
    finally:
        sys.setprofile(before)
    return events["call"] + events["c_call"]


def numbers_only(*steps):
    return make_pipeline(ColumnTransformer([("n", make_pipeline(*steps[:-1]), NUMBERS)]), steps[-1])


REFUSED = {
    "KNeighborsClassifier": numbers_only(SimpleImputer(), KNeighborsClassifier()),
    "RidgeCV": numbers_only(SimpleImputer(), RidgeCV()),
    "RobustScaler": numbers_only(SimpleImputer(), RobustScaler(), LogisticRegression()),
    "FunctionTransformer(func=": numbers_only(SimpleImputer(), FunctionTransformer(np.cos), LogisticRegression()),
    "GradientBoostingClassifier(init=": numbers_only(
        SimpleImputer(), GradientBoostingClassifier(init=LogisticRegression(), n_estimators=2)
    ),
    "method='temperature'": make_pipeline(
        one_hot(), CalibratedClassifierCV(LogisticRegression(), method="temperature", cv=2)
    ),
    "OneHotEncoder after replace/subtract/divide": numbers_only(
        SimpleImputer(), StandardScaler(), OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    ),
}


@pytest.mark.parametrize("named", REFUSED)
def test_what_no_plan_can_express_is_refused_by_name(named):
    matrix, target, *_ = table()
    with pytest.raises(PlanRefused) as refusal:
        compile_plan(REFUSED[named].fit(matrix, target), COLUMNS)
    assert named in str(refusal.value) and "a plan takes" in str(refusal.value)


@pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")
def test_a_plan_that_the_kernel_would_answer_otherwise_than_numpy_is_refused(monkeypatch):
    """The kernel serves it, so numpy's word is not enough: it once added a forest up and did not divide."""
    monkeypatch.setitem(execute.LINK, "expit", lambda raw, _: np.column_stack([raw, raw]))
    with pytest.raises(PlanRefused, match="the kernel answers .*, numpy .* on the same plan"):
        compile_plan(FITTED["histogram"], COLUMNS)


def test_a_prediction_that_is_no_number_is_no_reason_to_refuse_a_plan():
    matrix, *_, score = table()
    pipeline = numbers_only(SimpleImputer(), DummyRegressor()).fit(matrix, score)
    pipeline[-1].constant_[:] = np.nan  # as of losses that overflow
    assert np.isnan(scored(pipeline, [{}])[0]).all()


def test_classes_that_json_cannot_write_are_refused_by_name():
    matrix, target, *_ = table()
    days = np.array(["2026-01-01", "2026-01-02"], "datetime64[D]")[target]
    with pytest.raises(PlanRefused, match="class .*2026.* a plan takes text, numbers and truths"):
        compile_plan(numbers_only(SimpleImputer(), DecisionTreeClassifier(max_depth=1)).fit(matrix, days), COLUMNS)


def test_a_plan_that_would_answer_what_scikit_learn_refuses_is_refused_and_does_not_end_the_training():
    matrix, target, *_ = table()
    matrix[:, NUMBERS] = np.nan_to_num(matrix[:, NUMBERS].astype(float))
    pipeline = numbers_only(FunctionTransformer(validate=True), histogram()).fit(matrix, target)
    with pytest.raises(PlanRefused, match="scikit-learn refuses a row that the plan answers: Input X contains NaN"):
        compile_plan(pipeline, COLUMNS)


def test_a_column_of_the_contract_that_the_pipeline_was_not_fitted_on_is_refused():
    with pytest.raises(PlanRefused, match="fitted on 6 columns"):
        compile_plan(FITTED["histogram"], [*COLUMNS, {"name": "extra", "kind": "number"}])


def test_a_text_that_reaches_the_model_is_refused():
    matrix, target, *_ = table()
    matrix[:, 3] = "7"
    pipeline = make_pipeline(ColumnTransformer([("c", "passthrough", [3])]), histogram()).fit(matrix, target)
    with pytest.raises(PlanRefused, match="encode it first"):
        compile_plan(pipeline, COLUMNS)


def test_features_beyond_what_a_plan_takes_are_refused_at_training_and_not_taken_for_corrupt():
    matrix, target, *_ = table()
    never = OneHotEncoder(categories=[np.arange(2_051.0)], handle_unknown="ignore")
    twice = ColumnTransformer([("once", never, [5]), ("again", never, [5])])
    pipeline = make_pipeline(twice, RandomForestClassifier(2, random_state=0)).fit(matrix, target)
    with pytest.raises(PlanRefused, match="4,098 features that are zero for every row"):
        compile_plan(pipeline, COLUMNS)


def test_the_same_pipeline_compiles_to_the_same_bytes():
    pipeline = FITTED["isotonic, three classes"]
    assert compile_plan(pipeline, COLUMNS) == compile_plan(pipeline, COLUMNS)


def test_ordinals_of_a_category_column_keep_the_order_of_the_encoder():
    matrix, _, _, score = table()
    order = ["1", "AA", "UA", "", 'quo"ted', None]
    encoder = OrdinalEncoder(categories=[order], handle_unknown="use_encoded_value", unknown_value=-1)
    pipeline = make_pipeline(ColumnTransformer([("c", encoder, CATEGORIES[:1])]), histogram()).fit(matrix, score > 0)
    assert decode(compile_plan(pipeline, COLUMNS)).columns[3].levels == tuple(order[:-1])
