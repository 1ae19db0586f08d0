"""One setting of a section: its declaration, and the check of a value.

A section is a dataclass whose fields are made by `setting`; this module does not know which sections there are.
"""

import dataclasses
import math
import re
from typing import Any, get_origin


def setting(default: Any = dataclasses.MISSING, doc: str = "", **limits: Any) -> Any:
    """Declare a setting: its default (without one it is required), its description and its limits.

    Limits are least, most, choices, pattern with its form, or a `check` that returns why a value is wrong,
    beginning with "must", or None. `form` says in words what values are allowed.
    """
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata={"doc": doc, **limits})
    return dataclasses.field(default=default, metadata={"doc": doc, **limits})


def as_type(section: type, key: str, value: Any) -> Any:
    """Return whole numbers as the floats that their setting is declared as; anything else as it is."""
    kind = _fields(section)[key].type
    if kind == list[float]:
        return [float(one) for one in value]
    return float(value) if kind is float else value


def section_problems(path: str, section: type, table: object) -> list[str]:
    """Describe each key and value of a section's table that is not allowed, one sentence each."""
    if not isinstance(table, dict):
        return [f"{path} = {table!r}: must be a table, [{path}]"]
    fields = _fields(section)
    problems = []
    for key, value in table.items():
        if key not in fields:
            problems.append(f"{path}.{key}: must be one of the settings {', '.join(fields)}")
        else:
            problems += _value_problems(f"{path}.{key}", fields[key], value)
    return problems


def _fields(section: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(section)}


def _value_problems(path: str, spec: dataclasses.Field[Any], value: Any) -> list[str]:
    """Describe why a value is not allowed for a setting; empty if it is."""
    limits, kind = spec.metadata, get_origin(spec.type) or spec.type  # list for list[str]
    if not _has_type(value, kind):
        return [f"{path} = {shortened(value)}: must be {KINDS[kind]}"]
    if kind is list:
        return _list_problems(path, spec, value)
    if "choices" in limits and value not in limits["choices"]:
        return [f"{path} = {value!r}: must be one of {', '.join(map(str, limits['choices']))}"]
    if "least" in limits and value < limits["least"]:
        return [f"{path} = {value!r}: must be at least {limits['least']}"]
    if "most" in limits and value > limits["most"]:
        return [f"{path} = {value!r}: must be at most {limits['most']}"]
    if "check" in limits and (reason := limits["check"](value)):
        return [f"{path} = {value!r}: {reason} ({limits['doc']})"]
    if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        return [f"{path} = {value!r}: must be {limits['form']} ({limits['doc']})"]
    return []


def _list_problems(path: str, spec: dataclasses.Field[Any], value: list[Any]) -> list[str]:
    choices, check = spec.metadata.get("choices"), spec.metadata.get("check")
    if choices is None and not all(map(is_number, value)):
        return [f"{path} = {shortened(value)}: must be a list of numbers"]
    if choices is None:
        reason = check(value) if check else None
        return [f"{path} = {value!r}: {reason} ({spec.metadata['doc']})"] if reason else []
    if any(item not in choices for item in value) or not value or len(set(value)) < len(value):
        return [f"{path} = {value!r}: must name one or more of {', '.join(choices)}, each once"]
    return []


PLAIN = "a table of text, numbers, true and false, lists and tables of these"
KINDS: dict[Any, str] = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: PLAIN,
}


def _has_type(value: object, kind: object) -> bool:
    if kind is float:
        return is_number(value)
    return type(value) is kind and (kind is not dict or is_plain(value))


def is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def is_plain(value: object) -> bool:
    """Return whether JSON can hold the value: jobs and functions get their settings as JSON, without dates, times and
    NaN.
    """
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return isinstance(value, (str, bool)) or is_number(value)


def shortened(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not write numbers of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}..."
