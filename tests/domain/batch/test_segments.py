import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batch.segments import flat, next_row, segment_name


def segments(*rows: int, last: bool) -> list[dict]:
    """That begin at each of these rows but the last one, where the last of them ends."""
    pairs = list(itertools.pairwise(rows))
    return [{"first_row": begin, "next_row": end, "last": last and end == rows[-1]} for begin, end in pairs]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], 1),
        (segments(1, 501, last=False), 501),
        (segments(1, 501, 701, last=False), 701),
        (segments(1, 501, 701, last=True), None),
        (segments(501, 701, last=True), 1),  # what lies behind a gap does not count
        (segments(1, 501, last=False) + segments(601, 701, last=True), 501),
        ([{"first_row": 1, "next_row": 1, "last": True}], None),  # a file without a row
    ],
)
def test_a_shard_goes_on_behind_its_unbroken_segments(found, expected):
    assert next_row(found) == expected


def test_a_shard_that_was_begun_elsewhere_goes_on_from_there():
    assert next_row([], start=501) == 501
    assert next_row(segments(501, 701, last=False), start=501) == 701


@given(rows=st.lists(st.integers(2, 10**9), unique=True, min_size=1).map(sorted), last=st.booleans(), data=st.data())
def test_no_row_is_scored_twice_and_none_is_left_out_whatever_is_there(rows, last, data):
    made = segments(1, *rows, last=last)
    there = data.draw(st.lists(st.sampled_from(made), unique_by=lambda one: one["first_row"]))
    row = next_row(data.draw(st.permutations(there)))
    kept = [one for one in made if row is None or one["next_row"] <= row]
    assert all(one in there for one in kept)
    assert (row is None) == (last and len(there) == len(made))
    assert row in (None, 1, *rows)


def test_a_segment_is_called_by_its_shard_and_first_row():
    assert segment_name("sub/a.csv", 1000001) == "sub~a.csv-000001000001"
    assert flat("sub/deep/a.csv") == "sub~deep~a.csv"
