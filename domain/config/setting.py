"""One setting of a section: what is said of it where it is declared, and what is wrong with a value given to it.

A section is a dataclass whose fields are made by `setting`; nothing here knows which sections there are.
"""

import dataclasses
import math
import re


def setting(default=dataclasses.MISSING, doc="", **limits):
    """A setting: its default (none means it must be given), what it is for, and limits: least, most, choices, pattern,
    or a `check` that returns why a value is wrong, beginning with "must", or None; `form` tells readers of the docs
    what it takes.
    """
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata={"doc": doc, **limits})
    return dataclasses.field(default=default, metadata={"doc": doc, **limits})


def as_type(section, key: str, value):
    return float(value) if section.__dataclass_fields__[key].type is float else value


def section_problems(path: str, section, table) -> list[str]:
    if not isinstance(table, dict):
        return [f"{path}: found {table!r}; it must be a table, [{path}]"]
    fields = section.__dataclass_fields__
    found = []
    for key, value in table.items():
        if key not in fields:
            found.append(f"{path}.{key} is not a setting; settings: {', '.join(fields)}")
        else:
            found += value_problems(f"{path}.{key}", fields[key], value)
    return found


def value_problems(path: str, spec, value) -> list[str]:
    limits = spec.metadata
    if not has_type(value, spec.type):
        return [f"{path} = {shortened(value)}: must be {KINDS[spec.type]}"]
    if spec.type is list:
        wrong = [item for item in value if item not in limits["choices"]]
        if wrong or not value or len(set(value)) < len(value):
            return [f"{path} = {value!r}: must name one or more of {', '.join(limits['choices'])}, each once"]
    elif "choices" in limits and value not in limits["choices"]:
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


PLAIN = "a table of text, numbers, true and false, lists and tables of these"
KINDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: PLAIN,
}


def has_type(value, kind) -> bool:
    if kind is float:
        return is_number(value)
    return type(value) is kind and (kind is not dict or is_plain(value))


def is_number(value) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def is_plain(value) -> bool:
    """What JSON can hold, as a job and a function are given their settings: no dates, no times, no nan."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return isinstance(value, (str, bool)) or is_number(value)


def shortened(value) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}..."
