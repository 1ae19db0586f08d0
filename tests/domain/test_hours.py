from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Serving
from domain.hours import DAYS, HoursError, is_wanted, open_shares, opened, read_hours, up_shares, why_asleep

BERLIN = "mon-fri 07:00-19:00 Europe/Berlin"
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
CLOCK = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}")
TEXTS = st.builds(
    "{}-{} {}-{} {}".format,
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
    CLOCK,
    CLOCK,
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")),
).filter(lambda text: text.split(" ")[1].split("-")[0] != text.split(" ")[1].split("-")[1])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_open(text: str, moment: str) -> bool:
    return opened(read_hours(text), at(moment)) is not None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-14T05:59", False),
        ("2026-01-14T06:00", True),
        ("2026-01-14T17:59", True),
        ("2026-01-14T18:00", False),  # winter: UTC+1
        ("2026-07-15T04:59", False),
        ("2026-07-15T05:00", True),
        ("2026-07-15T16:59", True),
        ("2026-07-15T17:00", False),  # summer: UTC+2
        ("2026-01-17T12:00", False),  # a Saturday
    ],
)
def test_the_hours_are_those_of_the_clocks_there(moment, expected):
    assert is_open(BERLIN, moment) is expected


def test_a_span_over_midnight_belongs_to_the_day_on_which_it_begins():
    night = "fri 22:00-06:00"
    assert [
        is_open(night, f"2026-01-{moment}") for moment in ("16T21:59", "16T22:00", "17T05:59", "17T06:00", "16T05:00")
    ] == [
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 2), ("2026-10-25", 4), ("2026-06-14", 3)])
def test_a_night_is_an_hour_shorter_or_longer_when_the_clocks_change(day, hours):
    night, start = read_hours("sun 01:00-04:00 Europe/Berlin"), at(day) - timedelta(hours=3)
    minutes = [start + timedelta(minutes=minute) for minute in range(0, 12 * 60, 15)]
    assert sum(opened(night, minute) is not None for minute in minutes) / 4 == hours


def test_what_runs_through_midnight_without_a_gap_began_once():
    always = read_hours("mon-fri 00:00-24:00, sat 00:00-12:00")
    assert opened(always, at("2026-01-16T15:00")) == at("2026-01-12T00:00")
    assert opened(always, at("2026-01-17T12:00")) is None


@given(TEXTS, MOMENTS)
def test_whoever_is_within_the_hours_was_so_since_they_began(text, now):
    hours = read_hours(text)
    began = opened(hours, now)
    if began is not None and now - began < timedelta(days=7):
        assert began <= now
        assert opened(hours, began) == began
        assert opened(hours, began - timedelta(seconds=1)) is None
        assert opened(hours, began + (now - began) / 2) == began


@given(TEXTS, MOMENTS)
def test_every_week_away_from_a_change_of_the_clocks_is_as_long_as_every_other(text, now):
    hours = read_hours(text)
    utc = read_hours(text.rpartition(" ")[0])
    if hours.zone.key == "UTC":
        assert opened(hours, now) == opened(utc, now)
    if hours.zone.key in ("UTC", "Asia/Kolkata"):  # their clocks never change
        assert (opened(hours, now) is None) == (opened(hours, now + timedelta(weeks=1)) is None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mon-fri 7-19", "'mon-fri 7-19' must be a span of days and times, such as 'mon-fri 07:00-19:00'"),
        ("weekdays 07:00-19:00", "'weekdays 07:00-19:00' must be a span"),
        ("mon 07:00-07:00", "'mon 07:00-07:00' has no length; a whole day is 00:00-24:00"),
        ("mon 24:00-07:00", "'mon 24:00-07:00' has no length"),
        ("mon 07:00-25:00", "25:00 in 'mon 07:00-25:00' is not a time of day"),
        ("mon 07:00-24:01", "24:01 in"),
        ("mon 07:60-09:00", "07:60 in"),
        ("mon 07:00-09:00 Berlin", "'Berlin' is not a time zone; write one like Europe/Berlin"),
        ("mon 07:00-09:00 Europe", "'Europe' is not a time zone"),
        ("mon 07:00-09:00 ../etc/passwd", "is not a time zone"),
        ("mon 07:00-09:00,", "'' must be a span"),
        ("mon 07:00-09:00 localtime", "'localtime' is not a time zone; write one like Europe/Berlin"),
        ("mon 07:00-09:00 posixrules", "'posixrules' is not a time zone"),
        ("mon 07:00-09:00 Factory", "'Factory' is not a time zone"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(text, problem):
    with pytest.raises(HoursError) as refused:
        read_hours(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("sun 02:30-03:30 Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:30"),
        ("sun 02:15-02:45 Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:45"),
        ("sun 01:00-02:30 Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:30"),
        ("sun 02:15-03:00 Australia/Lord_Howe", "2026-10-03T15:30", "2026-10-03T16:00"),  # half an hour is skipped
        ("sun 02:30-03:30 Europe/Berlin", "2026-10-25T00:30", "2026-10-25T02:30"),  # shown twice in autumn
    ],
)
def test_hours_of_which_the_clocks_skip_a_part_open_on_that_day_too(text, begin, end):
    hours = read_hours(text)
    assert opened(hours, at(begin)) == at(begin)
    assert opened(hours, at(begin) - timedelta(minutes=1)) is None
    assert opened(hours, at(end) - timedelta(minutes=1)) == at(begin)
    assert opened(hours, at(end)) is None


# ---- when an endpoint is there

OPEN, CLOSED = at("2026-01-14T12:00"), at("2026-01-14T22:00")
LONG_AGO = at("2026-01-01T00:00")


def wanted(now, *, up_since=None, asked=False, woken_at=None, **serving):
    return is_wanted(
        Serving(**{"office_hours": BERLIN, **serving}), now, up_since=up_since, asked=asked, woken_at=woken_at
    )


def test_it_is_up_in_the_hours_and_some_minutes_before():
    assert [wanted(at(f"2026-01-14T{time}")) for time in ("05:44", "05:45", "06:00", "17:59", "18:00")] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert wanted(at("2026-01-14T05:30"), wake_minutes=30)


def test_outside_the_hours_it_goes_even_if_somebody_asks_unless_asking_wakes_it():
    assert not wanted(CLOSED, up_since=LONG_AGO, asked=True, woken_at=CLOSED)
    assert wanted(CLOSED, up_since=LONG_AGO, asked=True, outside="wake")
    assert not wanted(CLOSED, up_since=LONG_AGO, asked=False, outside="wake")


def test_it_comes_when_it_is_woken_and_goes_when_nobody_asks_any_more():
    awake = {"outside": "wake", "woken_at": CLOSED - timedelta(minutes=59)}
    assert wanted(CLOSED, **awake)
    assert not wanted(CLOSED + timedelta(minutes=1), **awake)
    assert wanted(CLOSED, outside="wake", up_since=CLOSED - timedelta(minutes=59))
    assert not wanted(CLOSED, outside="wake", up_since=CLOSED - timedelta(minutes=60))


def test_after_idle_hours_it_goes_within_the_hours_too_and_stays_away_until_the_next():
    idle = {"idle_hours": 3}
    assert wanted(at("2026-01-14T08:59"), **idle)  # the hours began less than three ago
    assert wanted(OPEN, up_since=LONG_AGO, asked=True, **idle)
    assert not wanted(OPEN, up_since=LONG_AGO, **idle)
    assert not wanted(OPEN, asked=True, **idle)
    assert wanted(OPEN, woken_at=OPEN, outside="wake", **idle)


def test_without_hours_only_idleness_lets_it_go():
    always = {"office_hours": ""}
    assert wanted(CLOSED, **always)
    assert not wanted(CLOSED, up_since=LONG_AGO, idle_hours=2, outside="wake", **always)
    assert wanted(CLOSED, up_since=LONG_AGO, asked=True, idle_hours=2, outside="wake", **always)


@pytest.mark.parametrize(
    ("serving", "now", "reason"),
    [
        ({"office_hours": BERLIN}, CLOSED, "outside office hours"),
        ({"office_hours": BERLIN}, OPEN, None),
        ({"office_hours": BERLIN, "outside": "wake"}, CLOSED, "asleep, waking"),
        ({"office_hours": BERLIN, "idle_hours": 2}, OPEN, "asleep until the next office hours"),
        ({"idle_hours": 2, "outside": "wake"}, CLOSED, "asleep, waking"),
        ({}, CLOSED, None),
    ],
)
def test_an_answer_says_why_nobody_was_there(serving, now, reason):
    assert why_asleep(Serving(**serving), now) == reason


# ---- how much of a week that is


def test_the_hours_of_a_week_are_counted_in_utc_with_the_minutes_before():
    shares = open_shares("mon-fri 07:00-19:00", 15)
    assert sum(shares) == pytest.approx(5 * 12.25, rel=0.005)  # the year has 52 weeks and a day
    assert (shares[6], shares[7], shares[18], shares[19], shares[5 * 24 + 12]) == pytest.approx(
        (0.25, 1, 1, 0, 0), abs=0.02
    )


def test_summer_time_moves_the_hours_for_seven_months():
    shares = open_shares(BERLIN, 0)
    assert sum(shares) == pytest.approx(60, rel=0.005)
    assert shares[5] == pytest.approx(30 / 52.14, abs=0.01)  # 05:00 UTC on Mondays: open from 31 March to 20 October
    assert shares[17] == pytest.approx(22 / 52.14, abs=0.02)


@given(TEXTS, st.integers(0, 60))
def test_no_hour_is_open_for_longer_than_it_lasts(text, minutes):
    assert all(0 <= share <= 1 for share in open_shares(text, minutes))


def test_where_requests_wake_it_every_hour_with_requests_counts():
    rates = (1.0, *(0.0,) * 167)
    assert sum(
        up_shares(Serving(office_hours="tue 00:00-01:00", wake_minutes=0, outside="wake"), rates)
    ) == pytest.approx(2, abs=0.01)
    assert up_shares(Serving(), rates) == (1.0,) * 168
