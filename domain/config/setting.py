"""One setting of a section: what is said of it where it is declared, and what is wrong with a value given to it.

A section is a dataclass whose fields are made by `setting`; nothing here knows which sections there are.
"""

import dataclasses
import math
import re
from typing import Any, get_origin


def setting(default: Any = dataclasses.MISSING, doc: str = "", **limits: Any) -> Any:
    """A setting: its default (none means it must be given), what it is for, and limits: least, most, choices, pattern,
    or a `check` that returns why a value is wrong, beginning with "must", or None; `form` tells readers of the docs
    what it takes.
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
    """Return one sentence for each key or value of a section's table that cannot be."""
    if not isinstance(table, dict):
        return [f"{path}: found {table!r}; it must be a table, [{path}]"]
    fields = _fields(section)
    problems = []
    for key, value in table.items():
        if key not in fields:
            problems.append(f"{path}.{key} is not a setting; settings: {', '.join(fields)}")
        else:
            problems += value_problems(f"{path}.{key}", fields[key], value)
    return problems


def _fields(section: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(section)}


def value_problems(path: str, spec: dataclasses.Field[Any], value: Any) -> list[str]:
    """Return why a value cannot be that of a setting; nothing where it can."""
    limits, kind = spec.metadata, get_origin(spec.type) or spec.type  # list for list[str]
    if not has_type(value, kind):
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
        return [f"{path} = {value!r}: must match {limits['pattern']} ({limits['doc']})"]
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


def has_type(value: object, kind: object) -> bool:
    if kind is float:
        return is_number(value)
    return type(value) is kind and (kind is not dict or is_plain(value))


def is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def is_plain(value: object) -> bool:
    """What JSON can hold, as a job and a function are given their settings: no dates, no times, no nan."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return isinstance(value, (str, bool)) or is_number(value)


def shortened(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}..."
