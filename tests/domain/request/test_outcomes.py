import pytest

from domain.config.sections import Business
from domain.contract.schema import Column, Contract
from domain.request.outcomes import assess

BUSINESS = Business(true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=1.0, false_negative_usd=-25.0)
FEATURE = Column("size", "float")


def contract(task: str, kind: str, **values) -> Contract:
    return Contract("c", task, (FEATURE, Column("what", kind, role="target")), prior=0.5, **values)


@pytest.mark.parametrize(
    ("prediction", "outcome", "correct", "value_usd"),
    [(True, "yes", True, 40.0), (True, "no", False, -12.0), (False, "no", True, 1.0), (False, "yes", False, -25.0)],
)
def test_each_right_and_each_wrong_decision_has_its_value(prediction, outcome, correct, value_usd):
    found = assess(contract("binary", "string", positive="yes"), BUSINESS, prediction=prediction, outcome=outcome)
    assert found == {"correct": correct, "value_usd": value_usd}


def test_a_class_is_right_or_wrong():
    assert assess(contract("multiclass", "integer"), BUSINESS, prediction=2, outcome=2) == {"correct": True}
    assert assess(contract("multiclass", "integer"), BUSINESS, prediction=2, outcome=1) == {"correct": False}


def test_a_number_is_off_by_so_much():
    assert assess(contract("regression", "float"), BUSINESS, prediction=2.5, outcome=4.0) == {"error": -1.5}
