"""Office hours: when a stage's endpoints are up, from a text such as `mon-fri 07:00-19:00 Europe/Berlin`.

Times are those on the clocks there, so the hours keep their place when the clocks change. A span that ends before it
begins runs over midnight and belongs to the day on which it begins. Outside the hours an endpoint is deleted, since
SageMaker knows no stop, and `is_wanted` says when it is to be there again.
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
NOT_PLACES = ("localtime", "posixrules", "Factory")  # files beside the zones; what they hold depends on the computer
LEAST_IDLE = timedelta(hours=1)  # what was woken stays at least this long after the last request
WEEK_HOURS = 168
YEAR = 2025  # any has the same share of summer time, nearly


class HoursError(ValueError):
    """The text is not office hours; the message says what is."""


class Span(NamedTuple):
    days: frozenset[int]  # 0 is Monday
    start: int  # minutes after midnight
    end: int  # minutes after the midnight on which the span's day begins: beyond 24 hours where it runs over the next


class Hours(NamedTuple):
    spans: tuple[Span, ...]
    zone: tzinfo


@functools.cache
def read_hours(text: str) -> Hours:
    """`mon-fri 07:00-19:00, sat 22:00-02:00 Europe/Berlin`; without a zone it is UTC."""
    *before, last = [part.strip() for part in text.split(",")]
    words = last.split(" ")
    zone = words.pop() if len(words) == 3 else "UTC"
    return Hours(tuple(span_of(part) for part in (*before, " ".join(words))), zone_of(zone))


def span_of(text: str) -> Span:
    match = re.fullmatch(SPAN, text)
    if not match:
        raise HoursError(
            f"{text!r} is not a span; write days and times like 'mon-fri 07:00-19:00' or 'sat 22:00-02:00'"
        )
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    start, end = (minutes_of(text, hour, minute) for hour, minute in (match.group(3, 4), match.group(5, 6)))
    if start in (MINUTES_PER_DAY, end):
        raise HoursError(f"{text!r} has no length; a whole day is 00:00-24:00")
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    return Span(days, start, end if end > start else end + MINUTES_PER_DAY)


def minutes_of(span: str, hour: str, minute: str) -> int:
    minutes = int(hour) * 60 + int(minute)
    if minutes > MINUTES_PER_DAY or int(minute) > 59:
        raise HoursError(f"{hour}:{minute} in {span!r} is not a time of day; 00:00 to 24:00 are")
    return minutes


def zone_of(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # here, so that no function without office hours pays for it at a cold start

    try:
        if name not in NOT_PLACES:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder of zones
        pass  # the same error as for a name that is not a place
    raise HoursError(f"{name!r} is not a time zone; write one like Europe/Berlin, America/New_York or UTC")


def open_spans(hours: Hours, days: list[date]) -> list[tuple[datetime, datetime]]:
    """(begin, end) in UTC of the hours that begin on these days, in order; what touches or overlaps is one."""
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
    """Return when hours begin; where the clocks skip that time, it is when they are put forward.

    An hour later, as for an end, hours within the skipped time and the hour after it would have no length.
    """
    late = _timestamp(day, minutes, zone)
    early = _timestamp(day, minutes, zone, fold=1)
    if early >= late:
        return late  # the time is shown, once or twice; the first counts
    after_change = late.astimezone(zone).utcoffset()
    steps = (early + timedelta(minutes=step) for step in range((late - early) // timedelta(minutes=1)))
    return next((step for step in steps if step.astimezone(zone).utcoffset() == after_change), late)


def _timestamp(day: date, minutes: int, zone: tzinfo, *, fold: int = 0) -> datetime:
    """Return when clocks in the zone show so many minutes after the day's midnight; a skipped time is an hour later."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def opened(hours: Hours, now: datetime) -> datetime | None:
    """When the hours began that it is now in; None outside of them."""
    today = now.astimezone(hours.zone).date()
    week = [today + timedelta(days=day) for day in range(-8, 2)]  # what runs through is followed back for a week
    return next((begin for begin, end in open_spans(hours, week) if begin <= now < end), None)


class Serving(Protocol):
    """The part of [serving] that says when endpoints are up (domain/config imports this module, so it is not named)."""

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


# ---- of a stage's settings: [serving] office_hours, idle_hours, outside, wake_minutes


def sleeps(serving: Serving) -> bool:
    """Whether the settings ever let an endpoint go."""
    return bool(serving.office_hours or serving.idle_hours)


def began(serving: Serving, now: datetime) -> datetime | None:
    """When the present hours began, counting the minutes before them that an endpoint needs to come up; None
    outside.
    """
    if not serving.office_hours:
        return datetime.min.replace(tzinfo=UTC)
    hours = read_hours(serving.office_hours)
    return opened(hours, now + timedelta(minutes=serving.wake_minutes)) or opened(hours, now)


def is_wanted(
    serving: Serving, now: datetime, *, up_since: datetime | None, asked: bool, woken_at: datetime | None
) -> bool:
    """Whether an endpoint is to be up: it is (`up_since`) or not, was asked in the last idle hours or not, was woken or
    not.

    It comes up when the hours begin and when it is woken; from then on it stays for the hours, or until nobody asks.
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
    """How much of each hour of the week (UTC, from Monday) an endpoint is up, over a year; idle hours are not foreseen.

    Where a request wakes it, it is up in every hour that is asked anything.
    """
    shares = open_shares(serving.office_hours, serving.wake_minutes) if serving.office_hours else (1.0,) * WEEK_HOURS
    wakes = serving.outside == "wake"
    return tuple(1.0 if wakes and rate else share for share, rate in zip(shares, rates, strict=True))


@functools.cache
def open_shares(text: str, wake_minutes: int) -> tuple[float, ...]:
    totals, lead = [0.0] * WEEK_HOURS, timedelta(minutes=wake_minutes)
    days = [date(YEAR, 1, 1) + timedelta(days=day) for day in range(365)]
    for begin, end in open_spans(read_hours(text), days):
        at = begin - lead
        while at < end:
            step = min(end, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            totals[at.weekday() * 24 + at.hour] += (step - at).total_seconds()
            at = step
    weeks = len(days) / 7
    return tuple(min(1.0, total / 3600 / weeks) for total in totals)
