import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.schema import Column, Contract
from domain.request.answers import answer_from_score, fallback_answer

FEATURE = Column("size", "float")
BINARY = Contract("c", "binary", (FEATURE, Column("late", "boolean", role="target")), prior=0.24)
REGRESSION = Contract("c", "regression", (FEATURE, Column("price", "float", role="target")), prior=12.5)
CLASSES = Contract(
    "c", "multiclass", (FEATURE, Column("kind", "string", role="target")), prior={"a": 0.2, "b": 0.5, "c": 0.3}
)
NUMBERED = Contract("c", "multiclass", (FEATURE, Column("kind", "integer", role="target")), prior={"1": 0.7, "2": 0.3})


@pytest.mark.parametrize(
    ("score", "threshold", "prediction"), [(0.5, 0.5, True), (0.499, 0.5, False), (0.3, 0.25, True), (0.0, 0.0, True)]
)
def test_a_binary_prediction_is_true_from_the_threshold_on(score, threshold, prediction):
    assert answer_from_score(BINARY, score, threshold=threshold) == {"prediction": prediction, "probability": score}


def test_a_regression_predicts_its_value():
    assert answer_from_score(REGRESSION, -3.25) == {"prediction": -3.25, "probability": None}


def test_of_several_classes_the_likeliest_is_predicted_and_the_first_of_equals():
    assert answer_from_score(CLASSES, [0.2, 0.4, 0.4], classes=["a", "b", "c"]) == {
        "prediction": "b",
        "probability": 0.4,
        "probabilities": {"a": 0.2, "b": 0.4, "c": 0.4},
    }


def test_classes_may_be_numbers():
    expected = {"prediction": 2, "probability": 0.9, "probabilities": {"1": 0.1, "2": 0.9}}
    assert answer_from_score(NUMBERED, [0.1, 0.9], classes=[1, 2]) == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_no_class_is_likelier_than_the_predicted_one(shares):
    classes = [f"class {number}" for number in range(len(shares))]
    answer = answer_from_score(CLASSES, shares, classes=classes)
    assert answer["probability"] == max(shares)
    assert shares[classes.index(answer["prediction"])] == max(shares)


def test_without_a_model_the_prior_answers():
    assert fallback_answer(BINARY) == {"prediction": False, "probability": 0.24}
    assert fallback_answer(BINARY, threshold=0.2) == {"prediction": True, "probability": 0.24}
    assert fallback_answer(BINARY, prior=0.6) == {"prediction": True, "probability": 0.6}
    assert fallback_answer(REGRESSION, prior=7.5) == {"prediction": 7.5, "probability": None}
    assert fallback_answer(REGRESSION) == {"prediction": 12.5, "probability": None}
    assert fallback_answer(CLASSES) == {
        "prediction": "b",
        "probability": 0.5,
        "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3},
    }
    assert fallback_answer(NUMBERED) == {"prediction": 1, "probability": 0.7, "probabilities": {"1": 0.7, "2": 0.3}}
