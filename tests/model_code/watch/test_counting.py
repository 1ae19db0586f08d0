"""Whole columns are counted as single values are."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from domain.watch.bins import bins_of, count
from model_code.watch.counting import bins_of_column, count_column

NUMBERS = st.none() | st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float)
KINDS = {
    pa.float64(): st.lists(NUMBERS, max_size=80),
    pa.int64(): st.lists(st.none() | st.integers(-(2**40), 2**40) | st.integers(0, 3), max_size=80),
    pa.string(): st.lists(st.none() | st.text(max_size=2), max_size=80),
    pa.bool_(): st.lists(st.none() | st.booleans(), max_size=20),
}
COLUMNS = st.sampled_from(list(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind], KINDS[kind]))
MANY = {pa.float64(): [number / 8 for number in range(40)], pa.int64(): list(range(-20, 20))}  # so that spans are made


@given(COLUMNS, st.booleans())
def test_a_column_has_the_bins_and_the_counts_of_its_values(drawn, with_many):
    kind, reference, window = drawn
    reference = reference + (MANY.get(kind, []) if with_many else [])
    bins = bins_of(reference)
    assert bins_of_column(pa.array(reference, kind)) == bins
    for values in (reference, window):
        assert count_column(bins, pa.array(values, kind)).tolist() == count(bins, values)
        assert count_column(bins, pa.chunked_array([pa.array(values, kind)], kind)).tolist() == count(bins, values)


@given(st.lists(st.none() | st.text(max_size=3), max_size=20))
def test_texts_in_the_place_of_numbers_are_unseen(values):
    bins = bins_of(map(float, range(100)))
    assert count_column(bins, pa.array(values, pa.string())).tolist() == count(bins, values)
