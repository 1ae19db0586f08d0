from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.counts import (
    LOSSES,
    NUMBERS,
    Counts,
    Kind,
    Side,
    added,
    counter,
    counts_key,
    from_items,
    losses_of,
    seen_key,
    total,
)
from domain.release.evidence import STAKES, Failures, loss_terms

NO_LOSS = (0.0,) * len(STAKES)


def test_a_share_has_an_item_of_its_own_under_its_rollout():
    assert counts_key("r-1/20261128", 0.05) == {"rollout": {"S": "r-1/20261128"}, "item": {"S": "share#0.05"}}


def test_an_entity_is_guarded_by_the_hash_of_its_id_once_for_each_kind():
    assert seen_key("r-1", Kind.SLOW, "N1") == {
        "rollout": {"S": "r-1"},
        "item": {"S": "seen#slow#b79f477f6d435116155b112145574824"},
    }
    assert len({str(seen_key("r-1", kind, "N1")) for kind in Kind}) == len(Kind)


def test_items_become_counts_by_rising_share_and_guards_are_left_out():
    items = [
        {"rollout": "r-1", "item": "share#0.25", "canary_error": 2, "loss_0": 0.5, "loss_5": -1},
        {"rollout": "r-1", "item": "seen#error#00"},
        {"rollout": "r-1", "item": "share#0.05", "champion_slow": 3, "paired": 7},
    ]
    assert from_items(items) == [
        Counts(0.05, champion_slow=3, paired=7),
        Counts(0.25, canary_error=2, losses=(0.5, 0.0, 0.0, 0.0, 0.0, -1.0)),
    ]


def test_every_kind_and_side_has_its_counter():
    assert {counter(side, kind) for side in Side for kind in Kind} <= set(NUMBERS)
    assert Counts(0.05, canary_slow=2, champion_slow=9).failures(Kind.SLOW) == Failures(0.05, 2, 9)


def test_what_is_added_names_the_attributes_of_the_item():
    terms = loss_terms(-1.0, 65.0)
    assert added(terms, paired=1, disagreements=1) == {
        "paired": 1,
        "disagreements": 1,
        **dict(zip(LOSSES, terms, strict=True)),
    }
    assert added(canary_entities=1) == {"canary_entities": 1}
    with pytest.raises(KeyError, match="canary_wrong: must be of canary_rows, "):
        added(canary_wrong=1)


def test_nothing_counted_is_no_loss():
    assert losses_of([]) == NO_LOSS
    assert total([], "paired") == 0


numbers = st.fixed_dictionaries({name: st.integers(0, 10**6) for name in NUMBERS})


@given(adds=st.lists(st.tuples(numbers, st.lists(st.integers(-64, 64), min_size=6, max_size=6)), max_size=8))
def test_whatever_was_added_is_read_again_as_the_sum(adds):
    item = {"rollout": "r-1", "item": counts_key("r-1", 0.05)["item"]["S"]}
    for counts, terms in adds:
        for name, value in added(terms, **counts).items():
            item[name] = item.get(name, 0) + value
    [read] = from_items([item])
    assert {name: asdict(read)[name] for name in NUMBERS} == {
        name: sum(counts[name] for counts, _ in adds) for name in NUMBERS
    }
    assert read.losses == losses_of([read]) == tuple(float(sum(terms[n] for _, terms in adds)) for n in range(6))
