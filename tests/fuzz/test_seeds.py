"""The fuzzer starts from inputs of every kind, or it would take hours to find one."""

import pytest

from model_code.kernel.header import with_header
from model_code.plan import decode
from model_code.plan.format import CALIBRATORS, LINKS, STEPS, Constant, Linear, Trees
from tests.fuzz.__main__ import READ_BY, plans

MOST_LEAVES = 32  # of a tree that masks answer


@pytest.fixture(scope="module")
def seeds():
    return {name: decode(with_header(body)) for name, body in plans().items()}


def members(seeds):
    return [member for plan in seeds.values() for member in plan.members]


def test_the_seeds_have_every_step_link_calibrator_and_model(seeds):
    links = [link for member in members(seeds) for link in member.links]
    numbers = [number for plan in seeds.values() for features in plan.feature_sets for number in features.numbers]
    assert {step[0] for number in numbers for step in number.steps} == set(STEPS)
    assert {link.op for link in links} == set(LINKS)
    assert {calibrator.kind for link in links for calibrator in link.calibrators} == set(CALIBRATORS)
    assert {type(member.model) for member in members(seeds)} == {Constant, Linear, Trees}


def test_the_seeds_have_trees_for_masks_and_for_every_kind_of_walk(seeds):
    trees = [member.model for member in members(seeds) if isinstance(member.model, Trees)]
    kinds = {
        (len(tree.values) > MOST_LEAVES * len(tree.roots), len(tree.sets) > 0, tree.leaf_width > 1, tree.divisor > 1)
        for tree in trees
    }
    assert {(False, False, False, False), (False, True, False, False), (True, True, False, False)} <= kinds
    assert {(False, False, False, True), (True, False, True, True)} <= kinds


def test_the_seeds_have_the_plans_that_read_bodies(seeds):
    assert set(READ_BY) <= set(seeds)
