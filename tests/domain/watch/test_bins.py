"""Bins are made on the reference alone, and every value falls into one of them."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from domain.watch.bins import CategoryBins, NumberBins, as_dict, bins_of, count, from_dict

NUMBERS = st.lists(st.none() | st.integers(-50, 50) | st.floats(allow_infinity=False), max_size=60)
ANYTHING = st.lists(st.none() | st.booleans() | st.text(max_size=2) | st.floats() | st.integers(), max_size=40)


def test_numbers_have_ten_spans_of_equally_many_rows():
    bins = bins_of(range(1000))
    assert bins == NumberBins((0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999))
    assert (bins.labels[:2], bins.labels[9:]) == (["0 to 100", "100 to 200"], ["900 to 999", "unseen", "missing"])
    assert count(bins, range(1000)) == [100] * 10 + [0, 0]


def test_values_beyond_the_reference_are_unseen_and_nulls_are_missing():
    bins = bins_of(range(1000))
    assert count(bins, [-1, 0, 999, 999.5, "ninety", None, math.nan]) == [1, *[0] * 8, 1, 3, 2]


def test_few_different_numbers_are_categories():
    bins = bins_of([5] * 90 + [7] * 10 + [None])
    assert (bins, bins.labels) == (CategoryBins((5, 7)), ["5", "7", "others", "unseen", "missing"])
    assert count(bins, [5, 7, 7, 6, None]) == [1, 2, 0, 1, 1]


def test_rare_categories_of_the_reference_are_one_bin_and_not_unseen():
    bins = bins_of([f"c{number:03d}" for number in range(60) for _ in range(60 - number)])
    assert (len(bins.labels), bins.ordered) == (53, 0)
    assert count(bins, ["c000", "c059", "new"]) == [1, *[0] * 49, 1, 1, 0]


def test_of_a_thousand_names_and_more_a_new_one_is_nothing_new():
    bins = bins_of([f"name {number:04d}" for number in range(1001)])
    assert (bins.others, count(bins, ["name 1000", "another", None])[-3:]) == (None, [2, 0, 1])


def test_a_column_without_a_value_tells_only_missing_from_unseen():
    assert count(bins_of([None, math.nan]), [None, 1, "a"]) == [0, 2, 1]


@given(NUMBERS, ANYTHING)
def test_every_value_is_counted_once_and_no_value_of_the_reference_is_unseen(reference, window):
    bins = bins_of(reference)
    known, counted = dict(zip(bins.labels, count(bins, reference), strict=True)), count(bins, window)
    assert (known["unseen"], sum(known.values()), sum(counted)) == (0, len(reference), len(window))


@given(ANYTHING)
def test_bins_come_back_from_json_as_they_were(reference):
    bins = bins_of(reference)
    again = from_dict(json.loads(json.dumps(as_dict(bins))))
    assert count(again, reference) == count(bins, reference)
    assert as_dict(again) == as_dict(bins)
