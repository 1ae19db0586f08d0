"""Number of times a rate(...) or cron(...) schedule fires in a month."""

import re
from datetime import date, timedelta

from domain.schedules import MONTHS, WEEKDAYS, problem

HOURS_PER_MONTH = 730.0  # a twelfth of a year, as AWS counts it
HOURS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0}
YEAR = [date(2025, 1, 1) + timedelta(days=day) for day in range(365)]  # of 8760 hours, the twelfth of which is 730


def firings_per_month(expression: str) -> float:
    """Return the number of firings in a month, 0 for off. Raises ValueError for a schedule that AWS does not accept."""
    if expression == "off":
        return 0.0
    if reason := problem(expression):
        raise ValueError(f"schedule = {expression!r}: {reason}; or be off")
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return HOURS_PER_MONTH / (int(rate[1]) * HOURS[rate[2]])
    minute, hour, day, month, weekday, _ = expression.removeprefix("cron(").removesuffix(")").split()
    times = len(matching(minute, range(60))) * len(matching(hour, range(24)))
    return times * _days_per_year(day, month, weekday) / 12


def _days_per_year(day: str, month: str, weekday: str) -> int:
    months = matching(month, range(1, 13), MONTHS)
    if re.search(r"L|W(?!ED)|#", f"{day}{weekday}".upper()):  # the last, the nearest weekday, the nth: one day a month
        return len(months)
    days = matching(day, range(1, 32))
    weekdays = matching(weekday, range(1, 8), WEEKDAYS)
    return sum(each.month in months and each.day in days and each.isoweekday() % 7 + 1 in weekdays for each in YEAR)


def matching(field: str, allowed: range, names: dict[str, int] | None = None) -> set[int]:
    """Return the values of a cron field: `*`, `?`, `5`, `1,15`, `MON-FRI`, `0/15`."""
    return set().union(*(_one_match(part.upper(), allowed, names or {}) for part in field.split(",")))


def _one_match(part: str, allowed: range, names: dict[str, int]) -> set[int]:
    span, _, step = part.partition("/")
    if span in ("*", "?"):
        first, last = allowed[0], allowed[-1]
    else:
        start, _, end = span.partition("-")
        first = names.get(start) or int(start)
        last = (names.get(end) or int(end)) if end else (allowed[-1] if step else first)
    if last < first:  # FRI-MON wraps around the end of the week
        return {value for value in allowed if value >= first or value <= last}
    return {value for value in range(first, last + 1, int(step or 1)) if value in allowed}
