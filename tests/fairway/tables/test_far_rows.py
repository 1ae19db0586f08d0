"""Rows are far from the others by what the months of a load span, not by the first day of each."""

from datetime import UTC, datetime

import pytest

from domain.train.windows import Part
from fairway.tables.far_rows import far_rows

NOW = datetime(2013, 6, 1, tzinfo=UTC)
APRIL: Part = {"key": "a", "rows": 27_485, "first": "2013-04-01T09:00:00Z", "last": "2013-04-30T23:59:00Z"}


def few(first: str, last: str) -> Part:
    return {"key": "b", "rows": 79, "first": first, "last": last}


@pytest.mark.parametrize(
    ("first", "far"),
    [
        ("2013-05-01T00:00:00Z", False),  # the night after the last day
        ("2013-03-31T23:00:00Z", False),
        ("2012-04-01T00:00:00Z", True),
        ("2013-06-02T00:00:00Z", True),  # still to come
    ],
)
def test_a_few_rows_beyond_a_month_are_far_only_where_they_are_far_from_all_of_it(first, far):
    assert far_rows([APRIL, few(first, first)], NOW) == ([(first, 79)] if far else [])
