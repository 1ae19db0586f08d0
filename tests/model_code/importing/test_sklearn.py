"""scikit-learn models that were fitted elsewhere, as joblib, pickle and skops files."""

import json
import pickle
import subprocess

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from model_code.answers.golden import prove_golden
from tests.model_code.projects import PROJECTS
from tests.model_code.serving import IMAGE_PYTHON, ROOT


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
    artefact, said = parcels.artefact(dump(model, tmp_path / name), trust=True, closed_off=True)
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


def passed_through(model):
    """Fitted on a data frame, of which one column reaches the model as it is."""
    data = table("multiclass")
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["from"]), remainder="passthrough")
    return make_pipeline(encode, model).fit(data[["weight", "from"]], data["zone"])


IN_THE_IMAGE = """
import json, sys
from pathlib import Path
from model_code.answers.golden import prove_golden
from model_code.artefact.folder import open_artefact
rows = json.loads(sys.argv[1])
artefacts = [open_artefact(Path(folder)) for folder in sys.argv[2:]]
assert all(prove_golden(artefact) > 10 for artefact in artefacts)
print(json.dumps([artefact.scorer.score_lists(rows) for artefact in artefacts]))
"""


def test_what_passes_columns_through_answers_in_the_image_as_scikit_learn_does(parcels, tmp_path):
    models = [
        CalibratedClassifierCV(passed_through(LinearSVC()), cv=3).fit(
            table("multiclass")[["weight", "from"]], table("multiclass")["zone"]
        ),
        *map(passed_through, (KNeighborsClassifier(), GaussianNB(), AdaBoostClassifier(n_estimators=5))),
    ]
    folders = []
    for place, model in enumerate(models):
        artefact, said = parcels.artefact(dump(model, tmp_path / f"{place}.joblib"), trust=True)
        assert (said["format"], artefact.scorer.engine) == ("sklearn", "scikit-learn")
        folders.append(parcels.folder / f"artefact-{parcels.count}")
    rows = [{"weight": 4.0, "from": "C"}, {"weight": 0.5, "from": "A"}]
    command = [IMAGE_PYTHON, "-c", IN_THE_IMAGE, json.dumps(rows), *folders]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    expected = [model.predict_proba(pd.DataFrame(rows)) for model in models]
    np.testing.assert_allclose(json.loads(ran.stdout), expected, rtol=0, atol=1e-12)


def selected(scores):
    """Columns chosen by scikit-learn's own selectors and score functions."""
    data = table("multiclass")
    encode = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    model = make_pipeline(encode, SelectKBest(scores, k=2), LogisticRegression())
    return model.fit(data[["weight", "from"]], data["zone"])


@pytest.mark.parametrize("scores", [f_classif, mutual_info_classif])
@pytest.mark.parametrize("name", ["m.joblib", "m.pkl"])
def test_scikit_learns_own_selectors_and_score_functions_are_taken(parcels, tmp_path, scores, name):
    model = selected(scores)
    artefact, _ = parcels.artefact(dump(model, tmp_path / name), trust=True)
    row = {"weight": 4.0, "from": "C"}
    np.testing.assert_allclose(artefact.scorer.score_rows([row]), model.predict_proba(pd.DataFrame([row])), atol=1e-9)


def search(**options):
    data = table("multiclass")
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["from"]), remainder=StandardScaler())
    grid = {"logisticregression__C": [0.1, 1.0]}
    found = GridSearchCV(make_pipeline(encode, LogisticRegression()), grid, cv=3, **options)
    return found.fit(data[["weight", "from"]], data["zone"])


def test_a_search_is_its_best_estimator(parcels, tmp_path):
    grid = search(scoring=["accuracy", "f1_macro"], refit="f1_macro")
    artefact, said = parcels.artefact(dump(grid, tmp_path / "grid.joblib"), trust=True)
    assert said["format"] == "plan"
    row = {"weight": 4.0, "from": "C"}
    expected = grid.best_estimator_.predict_proba(pd.DataFrame([row]))
    np.testing.assert_allclose(artefact.scorer.score_rows([row]), expected, atol=1e-9)
    bare = dump(search(refit=False), tmp_path / "bare.joblib")
    assert parcels.refusal(bare, trust=True) == (
        "bare.joblib: GridSearchCV must have a best_estimator_; fit it with refit"
    )


def test_distributions_of_a_search_are_refused_with_the_way_out(parcels, tmp_path):
    """scipy's run a text of their pickle as code when they are opened."""
    data = table("multiclass")
    spread = {"C": loguniform(0.1, 1)}
    drawn = RandomizedSearchCV(LogisticRegression(), spread, n_iter=2, cv=3).fit(data[["weight"]], data["zone"])
    said = parcels.refusal(dump(drawn, tmp_path / "drawn.joblib"), trust=True)
    assert "scipy.stats._continuous_distns" in said and "(of a search, its best_estimator_)" in said


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
    artefact, said = parcels.artefact(tmp_path / "m.skops", closed_off=True)
    assert (said["format"], prove_golden(artefact) > 10) == ("plan", True)


def test_a_file_that_was_cut_off_is_refused_by_its_name(rents, tmp_path):
    skops = pytest.importorskip("skops.io")
    skops.dump(fitted_rents(), tmp_path / "m.skops")
    whole = (tmp_path / "m.skops").read_bytes()
    for part in (whole[: len(whole) // 2], b""):
        (tmp_path / "m.skops").write_bytes(part)
        assert rents.refusal(tmp_path / "m.skops").startswith(
            "m.skops is not a file of skops: must be a zip archive; if it was cut off"
        )
    dump(fitted_rents(), tmp_path / "m.pkl")
    (tmp_path / "m.pkl").write_bytes((tmp_path / "m.pkl").read_bytes()[:300])
    assert "m.pkl cannot be scanned as a pickle: " in rents.refusal(tmp_path / "m.pkl", trust=True)


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
    assert "must have predict_proba" in parcels.refusal(hard, trust=True)
    data = table("multiclass")
    data["zone"] = data["zone"].map({1: "a", 2: "b", 3: "c"})
    encode = make_column_transformer((OneHotEncoder(), ["from"]), remainder="passthrough")
    other = make_pipeline(encode, LogisticRegression()).fit(data[["weight", "from"]], data["zone"])
    assert "classes a, b, c: must be among the contract's, [1, 2, 3]" in parcels.refusal(
        dump(other, tmp_path / "o.pkl"), trust=True
    )
    assert "must be a fitted estimator" in rents.refusal(dump({"a": 1}, tmp_path / "d.pkl"), trust=True)


def test_a_model_of_another_scikit_learn_is_refused(rents, tmp_path):
    model = fitted_rents()
    model.steps[1][1].__dict__["_sklearn_version"] = "1.2.0"
    text = pickle.dumps(model).replace(b"1.9.1", b"1.2.0")
    (tmp_path / "old.pkl").write_bytes(text)
    assert "made with scikit-learn 1.2.0: must be 1.9.1" in rents.refusal(tmp_path / "old.pkl", trust=True)


def test_a_file_of_no_known_kind_and_one_that_is_not_there_are_refused(rents, tmp_path):
    (tmp_path / "m.h5").write_bytes(b"x")
    assert "m.h5 ends in '.h5': must be a folder of a SavedModel, or end in .joblib" in rents.refusal(tmp_path / "m.h5")
    assert "is not there" in rents.refusal(tmp_path / "none.joblib")
    assert "not a TensorFlow SavedModel" in rents.refusal(tmp_path)
