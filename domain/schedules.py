"""The grammar of rate(...) and cron(...) that EventBridge's Scheduler and rules accept."""

import re

MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
# Field -> its values, their names, and what else it may be.
_FIELDS: tuple[tuple[str, range, dict[str, int], str], ...] = (
    ("minute", range(60), {}, r"(?!)"),
    ("hour", range(24), {}, r"(?!)"),
    ("day of the month", range(1, 32), {}, r"L(-([1-9]|[12]\d|30))?|LW|([1-9]|[12]\d|3[01])W"),
    ("month", range(1, 13), MONTHS, r"(?!)"),
    ("day of the week", range(1, 8), WEEKDAYS, r"L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5])"),
    ("year", range(1970, 2200), {}, r"(?!)"),
)
_DAY, _WEEKDAY = 2, 4  # positions of these fields


def problem(expression: str, *, counted: bool = False) -> str | None:
    """Return why AWS does not accept the schedule, or None.

    With `counted` a rate needs 1 day but 2 days, which rules demand and Scheduler does not.
    """
    if rate := re.fullmatch(r"rate\(([0-9]{1,9}) (minute|hour|day)(s?)\)", expression):
        return _rate_problem(int(rate[1]), bool(rate[3]), counted)
    if cron := re.fullmatch(r"cron\((.+)\)", expression):
        return _cron_problem(cron[1].split())
    return "must be rate(7 days) or cron(minute hour day month weekday year)"


def _rate_problem(count: int, plural: bool, counted: bool) -> str | None:
    if count < 1:
        return "must be a rate of at least 1"
    if counted and plural != (count > 1):
        return f"must be {'a plural, such as days,' if count > 1 else 'a singular, such as day,'} after {count}"
    return None


def _cron_problem(parts: list[str]) -> str | None:
    if len(parts) != len(_FIELDS):
        return f"must have six fields, minute hour day month weekday year, not {len(parts)}"
    for position, (part, (name, allowed, names, special)) in enumerate(zip(parts, _FIELDS, strict=True)):
        if part == "?" and position in (_DAY, _WEEKDAY):
            continue
        if not all(_is_value(each, allowed, names, special) for each in part.upper().split(",")):
            return f"must have {name} values of {allowed[0]} to {allowed[-1]}, not {part}"
    if (parts[_DAY] == "?") == (parts[_WEEKDAY] == "?"):
        return "must have ? as either day of the month or day of the week"
    return None


def _is_value(text: str, allowed: range, names: dict[str, int], special: str) -> bool:
    """Return whether the field may hold this: `*`, `5`, `5-9`, `MON-FRI`, each with or without a step, or a value of
    this field only.
    """
    if re.fullmatch(special, text):
        return True
    span, slash, step = text.partition("/")
    if slash and not re.fullmatch(r"0*[1-9][0-9]{0,3}", step):
        return False
    return span == "*" or all(_number(end, names) in allowed for end in span.split("-", 1))


def _number(text: str, names: dict[str, int]) -> int:
    return names.get(text, int(text) if re.fullmatch("[0-9]{1,4}", text) else -1)
