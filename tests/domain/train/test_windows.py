from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.timestamps import iso, parse_timestamp
from domain.train.windows import WindowError, bulk_of_days, overlapping, run_name, training_window


def test_a_window_ends_at_its_moment_and_is_judged_on_its_newest_days():
    assert training_window(as_of="2013-04-01", window_days=90, evaluate_days=28) == {
        "train_start": "2013-01-01T00:00:00Z",
        "evaluate_start": "2013-03-04T00:00:00Z",
        "as_of": "2013-04-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"as_of": "soon"},
            "as_of = 'soon': must be an ISO 8601 date or time such as 2013-04-01 or 2013-04-01T00:00:00Z",
        ),
        ({"evaluate_days": 0}, "evaluate_days = 0: must be from 1 to 89, one less than window_days"),
        ({"evaluate_days": 90}, "evaluate_days = 90: must be from 1 to 89, one less than window_days"),
        (
            {"as_of": "0001-01-30"},
            "window_days = 90: must not reach before the year 1 from 0001-01-30; take fewer days",
        ),
        (
            {"window_days": 10**12},
            "window_days = 1000000000000: must not reach before the year 1 from 2013-04-01; take fewer days",
        ),
    ],
)
def test_a_window_that_cannot_be_is_refused(asked, message):
    with pytest.raises(WindowError) as refused:
        training_window(**{"as_of": "2013-04-01", "window_days": 90, "evaluate_days": 28, **asked})
    assert str(refused.value) == message


def part(first: str | None, last: str | None) -> dict:
    return {"key": "k", "rows": 1, "first": first, "last": last}


def test_a_part_belongs_to_every_window_it_has_a_row_in():
    start, end = "2013-03-01T00:00:00Z", "2013-04-01T00:00:00Z"
    inside = [
        part("2013-01-01T00:00:00Z", start),
        part("2013-03-31T23:59:59.999999Z", "2013-05-01T00:00:00Z"),
        part("2013-01-01T00:00:00Z", "2013-12-31T00:00:00Z"),
        part("2013-02-01T00:00:00Z", "2013-03-01T00:00:00.500000Z"),
        part(None, None),
    ]
    outside = [part("2013-01-01T00:00:00Z", "2013-02-28T23:59:59Z"), part(end, "2013-05-01T00:00:00Z")]
    assert overlapping(inside + outside, start, end) == inside


def test_a_part_whose_rows_were_all_forgotten_is_in_no_window():
    start, end = "2013-01-01T00:00:00Z", "2013-02-01T00:00:00Z"
    for times in ((start, start), (None, None)):
        assert overlapping([{**part(*times), "rows": 0}], start, end) == []


moments = st.datetimes(datetime(2013, 1, 1), datetime(2013, 1, 2)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(st.lists(moments, min_size=1, max_size=5), moments, moments)
def test_no_row_is_missed_however_moments_are_written(rows, one, other):
    start, end = sorted((one, other))
    found = overlapping([part(iso(min(rows)), iso(max(rows)))], iso(start), iso(end))
    if any(start <= row < end for row in rows):
        assert found


@given(moments, st.integers(1, 100), st.integers(1, 100))
def test_training_ends_where_evaluation_begins(as_of, evaluate_days, more):
    window = training_window(as_of=iso(as_of), window_days=evaluate_days + more, evaluate_days=evaluate_days)
    start, middle, end = (parse_timestamp(window[name]) for name in ("train_start", "evaluate_start", "as_of"))
    assert (end - middle).days == evaluate_days
    assert (middle - start).days == more
    assert end == as_of


def test_runs_sort_by_when_they_were_started():
    assert run_name("train", "2013-04-01T00:00:00Z", "2026-11-22T07:45:00.123456Z") == "train-20130401-20261122T074500Z"


YEAR = {date(2024, 1, 1) + timedelta(days=number): 1 for number in range(300)}


@pytest.mark.parametrize("odd", [date(2099, 1, 1), date(9999, 12, 31), date(1900, 1, 1), date(1, 1, 1)])
def test_a_day_far_from_nearly_all_rows_is_left_out_of_their_span(odd):
    assert bulk_of_days({**YEAR, odd: 2}) == (date(2024, 1, 1), date(2024, 10, 26))


@pytest.mark.parametrize(
    "days",
    [
        {date(2024, 1, 1): 1},
        {date(2024, 1, 1): 1, date(2099, 1, 1): 1},
        {date(2020, 1, 1): 200, date(2024, 1, 1): 200},
        {date(2020 + number, 1, 1): 50 for number in range(5)},
        {**YEAR, date(2025, 6, 1): 1},
    ],
)
def test_few_rows_many_rows_and_short_gaps_stay_in_the_span(days):
    assert bulk_of_days(days) == (min(days), max(days))
