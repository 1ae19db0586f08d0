"""ONNX models: how their inputs map to the contract's columns, and what is refused by name."""

import math

import numpy as np
import pytest

from model_code.answers.golden import prove_golden
from model_code.artefact.archive import unpack
from model_code.artefact.folder import open_artefact
from model_code.importing.formats import ImportRefused
from tests.model_code.importing.graphs import logistic, sums

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

ROWS = [{"income": 3.0, "owner": True, "region": "west"}, {"income": 1.0, "owner": False, "region": "north"}]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_a_matrix_has_the_features_in_the_contracts_order_and_a_category_as_its_place(loans, tmp_path):
    artefact, said = loans.artefact(logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.25], -2.0), closed_off=True)
    assert (said["format"], said["compared"]) == ("onnx", {"rows": 400, "bound": 1e-5, "largest_difference": 0.0})
    assert (artefact.scorer.engine, artefact.manifest["format"], artefact.golden["within"]) == ("onnx", "onnx", 1e-5)
    found = artefact.scorer.score_rows([*ROWS, {**ROWS[0], "region": "east"}])[:, 1]
    np.testing.assert_allclose(found, [sigmoid(2.0), sigmoid(-1.0), sigmoid(3 + 0.5 - 0.25 - 2)], rtol=1e-6)
    assert prove_golden(artefact) > 10


def test_with_one_hot_a_category_is_a_column_for_each_of_its_values(loans, tmp_path):
    file = logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.1, 0.2, 0.3], -2.0)
    artefact, _ = loans.artefact(file, encoding="one-hot")
    found = artefact.scorer.score_rows([*ROWS, {**ROWS[0], "region": "east"}])[:, 1]
    np.testing.assert_allclose(found, [sigmoid(1.8), sigmoid(-0.9), sigmoid(1.5)], rtol=1e-6)


def test_named_inputs_are_columns_and_text_goes_in_as_it_is(loans, tmp_path):
    file = sums(tmp_path / "m.onnx", {"income": "float", "owner": "bool", "region": "str"}, {"region": "west"})
    artefact, _ = loans.artefact(file)
    found = artefact.scorer.score_rows([*ROWS, {**ROWS[0], "region": "elsewhere"}])[:, 1]
    np.testing.assert_allclose(found, [sigmoid(5.0), sigmoid(1.0), sigmoid(4.0)], rtol=1e-6)


def test_a_row_that_is_missing_what_the_model_needs_gets_no_answer(returns, tmp_path):
    artefact, _ = returns.artefact(
        sums(tmp_path / "m.onnx", {"größe (cm)": "float", "class": "str"}, {"class": "Sorte 1 ß"})
    )
    scores = artefact.scorer.score_rows([{"größe (cm)": -1.0, "class": "Sorte 1 ß"}, {"class": "x"}])[:, 1]
    assert (scores[0], math.isnan(scores[1])) == (0.5, True)
    assert all(not isinstance(one, dict) for one in artefact.golden["predictions"])


@pytest.mark.parametrize(
    ("weights", "options", "said"),
    [
        ([1.0] * 4, {}, "input 'features' has the shape (rows, 4): must be (rows, 3) for the contract's features"),
        ([1.0] * 4, {}, "(rows, 5) with --encoding one-hot"),
        ([1.0] * 3, {"rows": 8}, "input 'features' takes exactly 8 rows"),
        ([1.0] * 3, {"last": "Identity"}, "must be probabilities; end the model in a sigmoid"),
        ([1.0], {"name": "repaid"}, "input 'repaid' has the shape (rows, 1)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_name(loans, tmp_path, weights, options, said):
    assert said in loans.refusal(logistic(tmp_path / "m.onnx", weights, 0.0, **options))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"income": "float", "wealth": "float"},
            "input 'wealth': must be a feature of the contract 'loans', one of income, owner, region",
        ),
        ({"income": "str", "owner": "float"}, "input 'income' is str: must be float32 or float64"),
        ({"income": "float", "region": "float"}, "input 'region' is float32: must be str for a category"),
    ],
)
def test_named_inputs_must_be_columns_of_their_kind(loans, tmp_path, columns, said):
    texts = {name: "x" for name, kind in columns.items() if kind == "str"}
    assert said in loans.refusal(sums(tmp_path / "m.onnx", columns, texts))


def test_free_text_has_no_place_in_a_matrix(returns, tmp_path):
    assert "class: the contract must list the categories of a text that a matrix holds as numbers" in returns.refusal(
        logistic(tmp_path / "m.onnx", [1.0] * 6, 0.0)
    )


def test_an_encoding_that_nobody_knows_is_refused(loans, tmp_path):
    file = logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.25], -2.0)
    assert "--encoding = 'hashed': must be ordinal or one-hot" in loans.refusal(file, encoding="hashed")


def test_what_is_no_onnx_is_refused(loans, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    assert "ONNX Runtime does not open m.onnx" in loans.refusal(tmp_path / "m.onnx")


def test_a_model_that_takes_nothing_is_refused(loans):
    from model_code.importing.signature import signature

    with pytest.raises(ImportRefused, match="^the model has 0 inputs and 0 outputs; it needs at least one of each$"):
        signature(loans.contract, [], [], encoding="ordinal")


def test_a_conversion_that_went_wrong_is_refused(loans, tmp_path):
    """The proof is the same for all: here against answers of another model."""
    from model_code.importing.proof import prove
    from model_code.rows.tables import check_block

    artefact, _ = loans.artefact(logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.25], -2.0))
    rows = check_block(loans.contract, [{**row, "repaid": True} for row in ROWS], with_target=True).accepted
    same = artefact.scorer.score_rows(ROWS)
    assert prove(loans.contract, artefact.scorer, rows, same)["largest_difference"] == 0
    with pytest.raises(
        ImportRefused, match="another one: 1 of 2 rows differ by up to 2e-05: must be at most 1e-05; row 1"
    ):
        prove(loans.contract, artefact.scorer, rows, same + np.array([[0, 0], [-2e-5, 2e-5]]))


def test_answers_that_were_brought_along_must_be_given_again(loans, tmp_path):
    file = logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.25], -2.0)
    known = [{**ROWS[0], "answer": sigmoid(2.0)}, {**ROWS[1], "answer": str(sigmoid(-1.0))}]
    compared = loans.answer(file, answers=known)["compared_with_given"]
    assert (compared["rows"], compared["bound"], compared["largest_difference"] < 1e-6) == (2, 1e-5, True)
    wrong = [known[0], {**ROWS[1], "answer": sigmoid(-1.0) + 2e-5}]
    refused = loans.refusal(file, answers=wrong)
    assert "1 of 2 rows differ by up to 2e-05" in refused and ", by --answers [" in refused
    assert (
        loans.refusal(file, answers=ROWS)
        == "--answers: row 0: must have 'answer'; its columns are income, owner, region"
    )
    unread = [known[0], {**ROWS[1], "answer": "soon"}]
    assert loans.refusal(file, answers=unread) == "--answers: row 1: answer = 'soon': must be a number"
    beyond = [{**ROWS[0], "region": "east", "answer": 0.5}]
    assert "1 of 1 rows cannot be answered; [\"row 0: region = 'east'" in loans.refusal(file, answers=beyond)


def test_what_skl2onnx_converted_wrongly_is_refused_by_the_answers_of_scikit_learn(loans, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier

    draw = np.random.default_rng(2)
    features = np.column_stack([draw.uniform(0, 9.6, 400), draw.integers(0, 2, 400), draw.integers(0, 3, 400)])
    repaid = features[:, 0] + draw.normal(0, 2, 400) > 4
    forest = CalibratedClassifierCV(RandomForestClassifier(20, random_state=0), method="isotonic").fit(features, repaid)
    shape = [("features", skl2onnx.common.data_types.FloatTensorType([None, 3]))]
    made = skl2onnx.to_onnx(forest, initial_types=shape, options={"zipmap": False})
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    regions = ("north", "south", "west")
    known = [
        {"income": float(income), "owner": bool(owner), "region": regions[int(region)], "answer": float(answer)}
        for (income, owner, region), answer in zip(features, forest.predict_proba(features)[:, 1], strict=True)
    ]
    assert "the converted model is another one" in loans.refusal(tmp_path / "m.onnx", answers=known)


def test_the_artefact_is_whole_and_a_changed_byte_is_refused(loans, tmp_path):
    from model_code.artefact.folder import ArtefactRefused

    said = loans.answer(logistic(tmp_path / "m.onnx", [1.0, 0.5, 0.25], -2.0))
    folder = unpack(tmp_path / said["artefact"], tmp_path / "model")
    assert {file.name for file in folder.iterdir()} == {
        "contract.json",
        "golden.json",
        "manifest.json",
        "model.onnx",
        "signature.json",
    }
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(ArtefactRefused, match="model.onnx was changed"):
        open_artefact(folder)
