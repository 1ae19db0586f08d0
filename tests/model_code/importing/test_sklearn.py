"""scikit-learn models that were fitted elsewhere, as joblib, pickle and skops files."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from model_code.answers.golden import prove_golden
from tests.model_code.projects import PROJECTS


def table(task: str) -> pd.DataFrame:
    contract, rows = PROJECTS[task]()
    return pd.DataFrame(rows)[[*(c.name for c in contract.features if c.name in rows[0]), contract.target.name]]


def fitted_parcels(model):
    """On a data frame, columns by name."""
    data = table("multiclass")
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["from"]), remainder=StandardScaler())
    return make_pipeline(encode, model).fit(data[["weight", "from"]], data["zone"])


def fitted_rents():
    """On a matrix in the contract's order, columns by index."""
    data = table("regression")
    return make_pipeline(SimpleImputer(), LinearRegression()).fit(
        data[["m²", "lift", "floor"]].to_numpy(float), data["rent"]
    )


def dump(model, file):
    if file.suffix == ".joblib":
        joblib.dump(model, file)
    else:
        file.write_bytes(pickle.dumps(model))
    return file


@pytest.mark.parametrize("name", ["m.joblib", "m.pkl"])
def test_a_pipeline_becomes_a_plan_that_answers_as_it_did(parcels, tmp_path, name):
    model = fitted_parcels(HistGradientBoostingClassifier(max_iter=5))
    artefact, said = parcels.artefact(dump(model, tmp_path / name), trust=True)
    assert (said["format"], said["made_with"]) == ("plan", {"scikit-learn": "1.9.1"})
    assert said["compared"] == {
        "rows": 1000,
        "bound": 1e-5,
        "largest_difference": said["compared"]["largest_difference"],
    }
    assert said["compared"]["largest_difference"] < 1e-9
    assert artefact.manifest["imported"]["compared"] == said["compared"]
    assert (artefact.manifest["candidate"], artefact.manifest["classes"]) == ("imported", [1, 2, 3])
    assert prove_golden(artefact) > 10
    row = {"weight": 4.0, "from": "C"}
    expected = model.predict_proba(pd.DataFrame([row]))
    np.testing.assert_allclose(artefact.scorer.score_rows([row]), expected, atol=1e-9)


def test_a_model_on_columns_by_index_is_taken_in_the_contracts_order(rents, tmp_path):
    model = fitted_rents()
    artefact, said = rents.artefact(dump(model, tmp_path / "m.joblib"), trust=True)
    assert said["format"] == "plan"
    found = artefact.scorer.score_rows([{"m²": 50.0, "lift": True, "floor": 2}])
    np.testing.assert_allclose(found, [model.predict([[50.0, 1.0, 2.0]])])


def test_what_no_plan_expresses_is_served_by_scikit_learn_itself(parcels, tmp_path):
    model = fitted_parcels(KNeighborsClassifier())
    artefact, said = parcels.artefact(dump(model, tmp_path / "m.joblib"), trust=True)
    assert (said["format"], artefact.scorer.engine) == ("sklearn", "scikit-learn")
    row = {"weight": 4.0, "from": "C"}
    np.testing.assert_array_equal(artefact.scorer.score_rows([row]), model.predict_proba(pd.DataFrame([row])))


def test_a_text_target_is_taken_where_its_second_class_is_the_positive(returns, tmp_path):
    data = table("binary")
    numbers, texts = ["größe (cm)", "1st.order", "shelf"], ["class"]
    data = data.assign(shelf=data["shelf"].astype(str), **{"paid at": 0.0, "always empty": np.nan})
    data["1st.order"] = data["1st.order"].astype(float)
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [*texts, "shelf"]),
        (SimpleImputer(keep_empty_features=True), [numbers[0], numbers[1], "paid at", "always empty"]),
    )
    features = data.drop(columns="came back?")
    model = make_pipeline(encode, RandomForestClassifier(5, max_depth=3)).fit(features, data["came back?"])
    artefact, said = returns.artefact(dump(model, tmp_path / "m.joblib"), trust=True)
    assert (said["format"], artefact.manifest["classes"]) == ("plan", ["no", "yes"])
    assert said["compared"]["largest_difference"] < 1e-9


def test_the_same_file_gives_the_same_artefact(rents, tmp_path):
    file = dump(fitted_rents(), tmp_path / "m.joblib")
    assert rents.answer(file, trust=True)["sha256"] == rents.answer(file, trust=True)["sha256"]


def test_skops_needs_no_trust(rents, parcels, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(fitted_parcels(RandomForestClassifier(5)), tmp_path / "m.skops")
    artefact, said = parcels.artefact(tmp_path / "m.skops")
    assert (said["format"], prove_golden(artefact) > 10) == ("plan", True)


def test_a_file_that_was_cut_off_is_refused_by_its_name(rents, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(fitted_rents(), tmp_path / "m.skops")
    whole = (tmp_path / "m.skops").read_bytes()
    for part in (whole[: len(whole) // 2], b""):
        (tmp_path / "m.skops").write_bytes(part)
        assert rents.refusal(tmp_path / "m.skops").startswith(
            "m.skops is no file of skops: it is no zip archive; if it was cut off"
        )
    dump(fitted_rents(), tmp_path / "m.pkl")
    (tmp_path / "m.pkl").write_bytes((tmp_path / "m.pkl").read_bytes()[:300])
    assert "m.pkl is no pickle that can be scanned: " in rents.refusal(tmp_path / "m.pkl", trust=True)


class Odd(LinearRegression):
    """An estimator that only this test knows."""


def test_a_type_that_skops_does_not_know_is_refused_by_name(rents, tmp_path):
    skops = pytest.importorskip("skops.io")
    data = table("regression")
    skops.dump(Odd().fit(data[["m²", "lift", "floor"]].to_numpy(float), data["rent"]), tmp_path / "m.skops")
    assert "test_sklearn.Odd" in rents.refusal(tmp_path / "m.skops")


def test_what_the_contract_cannot_feed_or_read_is_refused_by_name(rents, parcels, tmp_path):
    data = table("regression")
    one = dump(LinearRegression().fit(data[["m²"]], data["rent"]), tmp_path / "one.joblib")
    assert "['m²'], the contract has 3: ['m²', 'lift', 'floor']" in rents.refusal(one, trust=True)
    hard = dump(fitted_parcels(LinearSVC()), tmp_path / "hard.joblib")
    assert "no predict_proba" in parcels.refusal(hard, trust=True)
    data = table("multiclass")
    data["zone"] = data["zone"].map({1: "a", 2: "b", 3: "c"})
    encode = make_column_transformer((OneHotEncoder(), ["from"]), remainder="passthrough")
    other = make_pipeline(encode, LogisticRegression()).fit(data[["weight", "from"]], data["zone"])
    assert "classes a, b, c are not in the contract: [1, 2, 3]" in parcels.refusal(
        dump(other, tmp_path / "o.pkl"), trust=True
    )
    assert "no fitted estimator" in rents.refusal(dump({"a": 1}, tmp_path / "d.pkl"), trust=True)


def test_a_model_of_another_scikit_learn_is_refused(rents, tmp_path):
    model = fitted_rents()
    model.steps[1][1].__dict__["_sklearn_version"] = "1.2.0"
    text = pickle.dumps(model).replace(b"1.9.1", b"1.2.0")
    (tmp_path / "old.pkl").write_bytes(text)
    assert "made with scikit-learn 1.2.0, here is 1.9.1" in rents.refusal(tmp_path / "old.pkl", trust=True)


def test_a_file_of_no_known_kind_and_one_that_is_not_there_are_refused(rents, tmp_path):
    (tmp_path / "m.h5").write_bytes(b"x")
    assert "m.h5 ends in '.h5'; taken are .joblib" in rents.refusal(tmp_path / "m.h5")
    assert "is not there" in rents.refusal(tmp_path / "none.joblib")
    assert "no TensorFlow SavedModel" in rents.refusal(tmp_path)
