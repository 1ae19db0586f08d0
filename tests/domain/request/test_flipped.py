"""Outcomes of the rows on which a replay's two releases differ."""

import json

import pytest

from domain.config.sections import Business
from domain.request.flipped import UNKNOWN, known_of
from tests.lambdas import stage

WORTH = Business(true_positive_usd=40.0, false_positive_usd=-12.0, false_negative_usd=-25.0)


def flip(champion: bool, candidate: bool) -> dict:
    return {"id": "p", "champion": json.dumps(champion), "candidate": json.dumps(candidate)}


def test_without_an_outcome_nothing_is_known():
    assert known_of(stage.CONTRACT, WORTH, []) == UNKNOWN


def test_a_missed_positive_costs_what_the_decision_of_the_champion_was_worth():
    known = known_of(stage.CONTRACT, WORTH, [(flip(True, False), True), (flip(False, True), True)])
    assert (known["outcomes"], known["candidate_right"], known["value_usd"]) == (2, 1, 0.0)
    missed = known_of(stage.CONTRACT, WORTH, [(flip(True, False), True)] * 40)
    assert (missed["candidate_right"], missed["value_usd"]) == (0, -40 * 65.0)
    assert missed["log_e"] > 4.6


def test_where_decisions_have_no_value_it_counts_who_was_right():
    right = known_of(stage.CONTRACT, Business(), [(flip(False, True), True)] * 40)
    wrong = known_of(stage.CONTRACT, Business(), [(flip(True, False), True)] * 40)
    assert (right["value_usd"], right["candidate_right"], wrong["candidate_right"]) == (None, 40, 0)
    assert right["log_e"] < 0 < 4.6 < wrong["log_e"]


def test_the_two_sides_are_not_swapped():
    better = known_of(stage.CONTRACT, WORTH, [(flip(False, True), True)] * 40)
    assert better["value_usd"] == pytest.approx(40 * 65.0) and better["log_e"] < 0
