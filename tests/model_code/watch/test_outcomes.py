"""Sums by whole columns are those that outcomes add one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.contract.schema import Column, Contract
from domain.watch.happened import adds
from model_code.watch.outcomes import add_sums, sums_of

BUSINESS = Business(true_positive_usd=40.0, false_positive_usd=-12.5, false_negative_usd=-25.0)
TARGETS = {"binary": ("string", 0.3, "yes"), "multiclass": ("integer", {"1": 0.5, "2": 0.5}, None)}
SHARE = st.one_of(st.sampled_from([0.0, 0.02, 0.5, 1.0]), st.floats(0, 1))


def contract(task: str) -> Contract:
    kind, prior, positive = TARGETS.get(task, ("float", 1.0, None))
    columns = (Column("x", "float"), Column("y", kind, role="target"))
    return Contract("shop", task, columns, prior=prior, **({"positive": positive} if positive else {}))


def one_by_one(task: str, answers: list[dict], outcomes: list) -> dict[str, float]:
    sums: dict[str, float] = {}
    for answer, outcome in zip(answers, outcomes, strict=True):
        add_sums(sums, adds(contract(task), BUSINESS, prediction=answer, outcome=outcome))
    return sums


def close(sums: dict[str, float]):
    return pytest.approx(sums, rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(SHARE, st.booleans()), min_size=1, max_size=40))
def test_of_a_binary_task(rows):
    shares, happened = np.array([share for share, _ in rows]), np.array([came for _, came in rows])
    answers = [{"prediction": share >= 0.5, "probability": share} for share in shares.tolist()]
    wanted = one_by_one("binary", answers, ["yes" if came else "no" for came in happened])
    found = sums_of(contract("binary"), BUSINESS, prediction=shares >= 0.5, probability=shares, actual=happened)
    assert found == close(wanted)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=40))
def test_of_a_multiclass_task(rows):
    answered, actual = (np.array(values) for values in zip(*rows, strict=True))
    wanted = one_by_one("multiclass", [{"prediction": label} for label in answered.tolist()], actual.tolist())
    found = sums_of(contract("multiclass"), BUSINESS, prediction=answered, probability=None, actual=actual)
    assert found == close(wanted)


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=40))
def test_of_a_regression(rows):
    predicted, actual = (np.array(values) for values in zip(*rows, strict=True))
    wanted = one_by_one("regression", [{"prediction": value} for value in predicted.tolist()], actual.tolist())
    found = sums_of(contract("regression"), BUSINESS, prediction=predicted, probability=None, actual=actual)
    assert found == close(wanted)
