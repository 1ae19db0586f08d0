import pytest

from domain.config.sections import Business
from domain.request.abstain import is_unsure, prefers_fallback

VALUES = Business(
    true_positive_usd=40.0, false_positive_usd=-12.0, true_negative_usd=0.0, false_negative_usd=-25.0
)  # a yes is worth more than a no from 0.16 on: 12 / (40 + 25 + 12)


@pytest.mark.parametrize(
    ("sure", "unsure"),
    [
        ({"set": [True]}, False),
        ({"set": [True], "unusual": True}, False),
        ({"set": [False, True]}, True),
        ({"set": None}, True),
        ({"interval": [1.0, 2.0]}, False),
        ({"cases": 0}, False),
    ],
)
def test_an_answer_is_unsure_if_several_outcomes_are_possible(sure, unsure):
    assert is_unsure(sure) == unsure


@pytest.mark.parametrize(
    ("low", "high", "answer", "fallback", "prefers"),
    [
        (0.30, 0.40, False, True, True),
        (0.10, 0.40, False, True, False),
        (0.05, 0.10, False, True, False),
        (0.05, 0.10, True, False, True),
        (0.05, 0.20, True, False, False),
        (0.30, 0.40, False, False, False),
        (0.30, 0.40, True, True, False),
    ],
)
def test_the_fallback_is_preferred_if_its_decision_is_worth_more_at_both_ends(low, high, answer, fallback, prefers):
    assert prefers_fallback(VALUES, {"low": low, "high": high}, answer=answer, fallback=fallback) == prefers


def test_without_values_the_set_alone_decides():
    assert prefers_fallback(Business(), {"low": 0.5, "high": 0.9}, answer="a", fallback="b")
