"""Answers by columns are, row for row, those of domain/request/answers.py."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from domain.contract.schema import Column, Contract
from domain.request.answers import answer_from_score, fallback_answer
from model_code.answers.answer_columns import answer_columns, answer_fields, has_answer, prior_columns


def contract_of(task, target, prior):
    return Contract("t", task, (Column("x", "float"), Column("y", target, role="target")), prior=prior, positive=True)


CASES = {
    "binary": (contract_of("binary", "boolean", 0.3), [False, True]),
    "numbered classes": (contract_of("multiclass", "integer", {"3": 0.2, "1": 0.8}), [1, 3, 20]),
    "named classes": (contract_of("multiclass", "string", {"b": 0.5, "ä": 0.5}), ["b", "ä"]),
    "regression": (contract_of("regression", "float", 7.5), []),
}
SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)


def rows_of(columns, rows):
    plain = [[one.as_py()] * rows if isinstance(one, pa.Scalar) else one.to_pylist() for one in columns.values()]
    answers = [dict(zip(columns, values, strict=True)) for values in zip(*plain, strict=True)]
    return [{name: dict(value) if name == "probabilities" else value for name, value in one.items()} for one in answers]


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 12))
def test_a_column_of_answers_is_the_answers_of_its_rows(case, data, rows):
    contract, classes = CASES[case]
    scores = data.draw(arrays(np.float64, (rows, len(classes) or 1), elements=SCORES))
    columns = answer_columns(contract, scores, classes=classes, threshold=0.5)
    plain = scores.tolist() if contract.task == "multiclass" else scores[:, -1].tolist()
    assert rows_of(columns, rows) == [answer_from_score(contract, score, classes=classes) for score in plain]
    assert [one.type for one in columns.values()] == [field.type for field in answer_fields(contract)]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e126, -1e308])
def test_a_row_with_a_number_that_no_table_holds_has_no_answer_and_spoils_no_other(wrong):
    scores = np.array([[0.25, 0.75], [wrong, 0.5], [0.5, wrong], [9e125, -9e125]])
    assert has_answer(scores).tolist() == [True, False, False, True]
    assert has_answer(np.array([[wrong]])).tolist() == [False]
    assert has_answer(np.array([[0.25], [1.0]])).tolist() == [True, True]
    assert has_answer(np.zeros((0, 3))).tolist() == []


@pytest.mark.parametrize("case", CASES)
def test_without_a_model_every_row_has_the_prior(case):
    contract, _ = CASES[case]
    assert rows_of(prior_columns(contract, threshold=0.2), 2) == [fallback_answer(contract, threshold=0.2)] * 2
