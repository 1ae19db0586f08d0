"""What rows really cover, and how old the newest is."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.train.coverage import cover, describe, missing_days, staleness

WINDOW = {
    "train_start": "2026-09-29T00:00:00Z",
    "evaluate_start": "2026-11-08T00:00:00Z",
    "as_of": "2026-12-28T00:00:00Z",
}


def day(number: int) -> date:
    return date(2026, 11, 8) + timedelta(days=number)


def moment(number: int, hour: int = 0) -> datetime:
    return datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=hour)


def test_a_feed_that_ended_names_its_last_row_and_the_days_without_any():
    coverage = cover(WINDOW, first=moment(0), last=moment(6, 15), days={day(number) for number in range(7)})
    assert coverage == {
        "first": "2026-11-08T00:00:00Z",
        "last": "2026-11-14T15:00:00Z",
        "age_days": 43.375,
        "days": 50,
        "missing": [["2026-11-15", "2026-12-27"]],
    }
    assert describe(coverage) == "2026-11-08 to 2026-11-14; no row on 43 of 50 days: 2026-11-15 to 2026-12-27"
    assert staleness(coverage, WINDOW, 14) == (
        "the newest row is from 2026-11-14T15:00:00Z, 43.4 days before 2026-12-28T00:00:00Z; "
        "at most 14 days were agreed (data.max_age_days)"
    )


@pytest.mark.parametrize("most", [0, 43.375, 100])
def test_rows_are_not_too_old_up_to_what_was_agreed_or_where_nothing_was(most):
    coverage = cover(WINDOW, first=moment(0), last=moment(6, 15), days={day(0)})
    assert staleness(coverage, WINDOW, most) == ""


def test_a_row_on_every_day_and_many_holes_are_told_shortly():
    every = cover(WINDOW, first=moment(0), last=moment(49), days={day(number) for number in range(50)})
    assert describe(every) == "2026-11-08 to 2026-12-27, a row on every day"
    holes = cover(WINDOW, first=moment(0), last=moment(48), days={day(number) for number in range(0, 50, 2)})
    assert describe(holes) == (
        "2026-11-08 to 2026-12-26; no row on 25 of 50 days: 2026-11-09, 2026-11-11, 2026-11-13 and 22 more spans"
    )


@given(st.sets(st.integers(0, 49), min_size=1))
def test_every_day_has_a_row_or_is_missing_once(numbers):
    days = {day(number) for number in numbers}
    coverage = cover(WINDOW, first=moment(min(numbers)), last=moment(max(numbers)), days=days)
    assert missing_days(coverage) + len(days) == coverage["days"] == 50
    ends = [date.fromisoformat(end) for span in coverage["missing"] for end in span]
    assert ends == sorted(ends) and not days & set(ends)
