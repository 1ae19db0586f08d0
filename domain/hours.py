"""Office hours: when a stage's endpoints are up, from a text such as `mon-fri 07:00-19:00 Europe/Berlin`.

Times are local times of the zone, so they follow daylight saving time. A span that ends before it begins runs over
midnight and belongs to the day on which it begins. Outside the hours an endpoint is deleted, since SageMaker cannot
stop one, and `is_wanted` says when it must exist again.
"""

import functools
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple, Protocol

from domain.reasons import Reason

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = "|".join(DAYS)
SPAN = rf"({DAY})(?:-({DAY}))? (\d\d):(\d\d)-(\d\d):(\d\d)"
MINUTES_PER_DAY = 24 * 60
NOT_PLACES = ("localtime", "posixrules", "Factory")  # files next to the zones whose content depends on the computer
LEAST_IDLE = timedelta(hours=1)  # an endpoint that was woken stays at least this long after the last request
WEEK_HOURS = 168
YEAR = 2025  # any year has nearly the same share of daylight saving time


class HoursError(ValueError):
    """Report that a text is not valid office hours; the message says what is."""


class Span(NamedTuple):
    days: frozenset[int]  # 0 is Monday
    start: int  # minutes after midnight
    # minutes after the midnight on which the span's day begins; above 24 hours if it runs over the next midnight
    end: int


class Hours(NamedTuple):
    spans: tuple[Span, ...]
    zone: tzinfo


@functools.cache
def read_hours(text: str) -> Hours:
    """Read office hours such as `mon-fri 07:00-19:00, sat 22:00-02:00 Europe/Berlin`; the default zone is UTC."""
    *before, last = [part.strip() for part in text.split(",")]
    words = last.split(" ")
    zone = words.pop() if len(words) == 3 else "UTC"
    return Hours(tuple(_span_of(part) for part in (*before, " ".join(words))), _zone_of(zone))


def _span_of(text: str) -> Span:
    match = re.fullmatch(SPAN, text)
    if not match:
        raise HoursError(
            f"{text!r} must be a span of days and times, such as 'mon-fri 07:00-19:00' or 'sat 22:00-02:00'"
        )
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    start, end = (_minutes_of(text, hour, minute) for hour, minute in (match.group(3, 4), match.group(5, 6)))
    if start in (MINUTES_PER_DAY, end):
        raise HoursError(f"{text!r} has no length; a whole day is 00:00-24:00")
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    return Span(days, start, end if end > start else end + MINUTES_PER_DAY)


def _minutes_of(span: str, hour: str, minute: str) -> int:
    minutes = int(hour) * 60 + int(minute)
    if minutes > MINUTES_PER_DAY or int(minute) > 59:
        raise HoursError(f"{hour}:{minute} in {span!r} is not a time of day; 00:00 to 24:00 are")
    return minutes


def _zone_of(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # imported here, so that functions without office hours start faster

    try:
        if name not in NOT_PLACES:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, an invalid name, or a folder of zones
        pass  # the same error as for an unknown name
    raise HoursError(f"{name!r} is not a time zone; write one like Europe/Berlin, America/New_York or UTC")


def _open_spans(hours: Hours, days: list[date]) -> list[tuple[datetime, datetime]]:
    """Return (begin, end) in UTC of the hours that begin on these days, in order; overlapping or adjacent spans are
    joined.
    """
    spans = sorted(
        (_begin(day, span.start, hours.zone), _timestamp(day, span.end, hours.zone))
        for day in days
        for span in hours.spans
        if day.weekday() in span.days
    )
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _begin(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Return when hours begin; if the clocks skip that time, it is the moment when they are put forward.

    An hour later, as for an end, would make hours empty that lie within the skipped time and the hour after it.
    """
    late = _timestamp(day, minutes, zone)
    early = _timestamp(day, minutes, zone, fold=1)
    if early >= late:
        return late  # the time exists, once or twice; the first one counts
    after_change = late.astimezone(zone).utcoffset()
    steps = (early + timedelta(minutes=step) for step in range((late - early) // timedelta(minutes=1)))
    return next((step for step in steps if step.astimezone(zone).utcoffset() == after_change), late)


def _timestamp(day: date, minutes: int, zone: tzinfo, *, fold: int = 0) -> datetime:
    """Return the UTC time of so many minutes after the day's midnight in the zone; a skipped time is an hour later."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def opened(hours: Hours, now: datetime) -> datetime | None:
    """Return when the current office hours began; None outside of them."""
    today = now.astimezone(hours.zone).date()
    week = [today + timedelta(days=day) for day in range(-8, 2)]  # hours without a gap are followed back for a week
    return next((begin for begin, end in _open_spans(hours, week) if begin <= now < end), None)


class Serving(Protocol):
    """The settings in [serving] that say when endpoints are up (a Protocol: domain/config imports this module)."""

    @property
    def mode(self) -> str: ...
    @property
    def office_hours(self) -> str: ...
    @property
    def idle_hours(self) -> int: ...
    @property
    def outside(self) -> str: ...
    @property
    def wake_minutes(self) -> int: ...


# ---- settings of a stage: [serving] office_hours, idle_hours, outside, wake_minutes


def sleeps(serving: Serving) -> bool:
    """Return whether the settings ever delete an endpoint."""
    return bool(serving.office_hours or serving.idle_hours)


def began(serving: Serving, now: datetime) -> datetime | None:
    """Return when the current hours began, with the minutes before them in which an endpoint starts; None outside."""
    if not serving.office_hours:
        return datetime.min.replace(tzinfo=UTC)
    hours = read_hours(serving.office_hours)
    return opened(hours, now + timedelta(minutes=serving.wake_minutes)) or opened(hours, now)


def is_wanted(
    serving: Serving, now: datetime, *, up_since: datetime | None, asked: bool, woken_at: datetime | None
) -> bool:
    """Return whether an endpoint should be up, given whether it is (`up_since`), had a request in the last idle hours,
    and was woken.

    It is created when the hours begin or when it is woken, and then stays until the hours end or requests stop.
    """
    if serving.mode == "function":
        return False
    present, idle = began(serving, now), idle_time(serving)
    if present and (not serving.idle_hours or now - present < idle):
        return True
    if serving.outside == "wake" and woken_at and now - woken_at < idle:
        return True
    if not present and serving.outside == "fallback":
        return False
    return up_since is not None and (asked or now - up_since < idle)


def idle_time(serving: Serving) -> timedelta:
    return max(timedelta(hours=serving.idle_hours), LEAST_IDLE)


def why_asleep(serving: Serving, now: datetime) -> Reason | None:
    """Return the reason to report for a missing endpoint; None if the endpoint is supposed to be up."""
    present = began(serving, now)
    if not sleeps(serving) or (present and not serving.idle_hours):
        return None
    if serving.outside == "wake":
        return Reason.WAKING
    return Reason.IDLE if present else Reason.OUTSIDE_HOURS


def up_shares(serving: Serving, rates: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of each hour of the week (UTC, from Monday) in which an endpoint is up, averaged over a year.

    Idle hours cannot be predicted. If requests wake it, it is up in every hour that has requests.
    """
    shares = open_shares(serving.office_hours, serving.wake_minutes) if serving.office_hours else (1.0,) * WEEK_HOURS
    wakes = serving.outside == "wake"
    return tuple(1.0 if wakes and rate else share for share, rate in zip(shares, rates, strict=True))


@functools.cache
def open_shares(text: str, wake_minutes: int) -> tuple[float, ...]:
    totals, lead = [0.0] * WEEK_HOURS, timedelta(minutes=wake_minutes)
    days = [date(YEAR, 1, 1) + timedelta(days=day) for day in range(365)]
    for begin, end in _open_spans(read_hours(text), days):
        at = begin - lead
        while at < end:
            step = min(end, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            totals[at.weekday() * 24 + at.hour] += (step - at).total_seconds()
            at = step
    weeks = len(days) / 7
    return tuple(min(1.0, total / 3600 / weeks) for total in totals)
