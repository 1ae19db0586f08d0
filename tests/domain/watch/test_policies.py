"""The calendar of each policy, and the days that a history can be replayed on."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.watch.policies import Days, Policy, SpanRefused, days_of, is_due, replayed

YEAR = Days(date(2013, 1, 1), date(2014, 1, 1))
CALENDAR = {"window_days": 90, "held_out": 28}


def runs_of(policy: Policy, first: date, days: int = 365, *, has_release: bool = True) -> list[date]:
    until = first + timedelta(days=days)
    return [day for day in days_of(first, until) if is_due(policy, first, day, has_release=has_release or day == first)]


def test_weekly_trains_every_seventh_day_and_never_only_at_first():
    first = date(2013, 4, 1)
    assert runs_of(Policy.WEEKLY, first, 22) == [first + timedelta(days=days) for days in (0, 7, 14, 21)]
    assert runs_of(Policy.NEVER, first) == runs_of(Policy.LOOP, first) == [first]


@given(first=st.dates(date(2000, 1, 1), date(2030, 1, 1)))
def test_monthly_trains_once_a_month_on_days_on_which_weekly_trains_too(first):
    monthly = runs_of(Policy.MONTHLY, first)
    assert set(monthly) <= set(runs_of(Policy.WEEKLY, first))
    months = [(day.year, day.month) for day in monthly]
    assert len(months) == len(set(months)) and 12 <= len(months) <= 13


@pytest.mark.parametrize("policy", Policy)
def test_until_a_run_is_approved_every_policy_tries_again_each_week(policy):
    first = date(2013, 4, 1)
    assert runs_of(policy, first, 22, has_release=False) == runs_of(Policy.WEEKLY, first, 22)


def test_a_replay_begins_once_a_whole_window_is_there_and_ends_with_the_rows():
    assert replayed(YEAR, first=None, until=None, **CALENDAR) == Days(date(2013, 4, 1), date(2014, 1, 1))
    asked = Days(date(2013, 2, 1), date(2013, 3, 1))
    assert replayed(YEAR, first=asked.first, until=asked.until, **CALENDAR) == asked


@pytest.mark.parametrize(
    ("first", "until", "told"),
    [
        (date(2013, 1, 29), None, "--from 2013-01-29: must be from 2013-01-30 to 2013-12-31; the rows are from"),
        (date(2014, 1, 1), None, "--from 2014-01-01: must be from 2013-01-30 to 2013-12-31; the rows are from"),
        (date(2013, 5, 1), date(2013, 5, 1), "--to 2013-05-01: must be after 2013-05-01 and at most 2014-01-01"),
        (None, date(2014, 1, 2), "--to 2014-01-02: must be after 2013-04-01 and at most 2014-01-01"),
        (None, date(2013, 3, 1), "data.window_days = 90: must end before 2013-03-01; the rows are from 2013-01-01"),
    ],
)
def test_days_that_the_rows_do_not_have_are_refused_with_those_they_have(first, until, told):
    with pytest.raises(SpanRefused) as refused:
        replayed(YEAR, first=first, until=until, **CALENDAR)
    assert str(refused.value).startswith(told)
