"""Check the values of fields: numbers within limits, JSONata that can be parsed, paths, and payload templates."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonata

from local.asl.fields import JSONATA, JSONPATH

LONGEST_S = 99_999_999
INTRINSICS = frozenset(
    {
        *("Format", "StringToJson", "JsonToString", "StringSplit", "Base64Encode", "Base64Decode", "Hash", "UUID"),
        *("Array", "ArrayPartition", "ArrayContains", "ArrayRange", "ArrayGetItem", "ArrayLength", "ArrayUnique"),
        *("JsonMerge", "MathRandom", "MathAdd"),
    }
)
_STEP = r"(\.\.?[\w\-]+|\.\.?\*|\[[^\[\]]*(\[[^\[\]]*\][^\[\]]*)*\])"
_PATH = re.compile(rf"\$\$?([A-Za-z_]\w*)?{_STEP}*")
_REFERENCE = re.compile(r"\$(\.[^.\[\]@,:?*]+|\[\d+\]|\['[^']+'\])*")


class Problem(NamedTuple):
    """A problem: a code of ValidateStateMachineDefinition, words, and the location, such as `/States/A/Next`."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.location}"


def schema(message: str, location: str) -> Problem:
    return Problem("SCHEMA_VALIDATION_FAILED", message, location)


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number_problems(value: Any, least: int, most: int, language: str, where: str) -> Iterator[Problem]:
    """Check a whole number, or in JSONata an expression that gives one."""
    if language == JSONATA and is_expression(value):
        return
    if not is_whole(value):
        yield schema("Expected an integer", where)
    elif not least <= value <= most:
        yield schema(f"Expected a value from {least} to {most}, found {value}", where)


def expression_problems(value: Any, where: str) -> Iterator[Problem]:
    """Check that every text in a JSONata field that begins like an expression is one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from expression_problems(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from expression_problems(inner, f"{where}[{index}]")
    elif isinstance(value, str) and value.startswith("{%"):
        reason = _jsonata_reason(value)
        if reason:
            yield Problem("SCHEMA_VALIDATION_FAILED", f"INVALID_JSONATA_EXPRESSION: {reason}", where)


def _jsonata_reason(text: str) -> str | None:
    if not is_expression(text):
        return "an expression begins with {% and ends with %}"
    try:
        jsonata.Jsonata(text[2:-2].strip())
    except Exception as error:  # noqa: BLE001 - a library's own errors have no class in common
        return str(error)
    return None


def path_problems(value: Any, where: str, *, reference: bool = False) -> Iterator[Problem]:
    """Check a JSONPath; a reference path names exactly one location. null is also allowed: nothing at all."""
    if value is None:
        return
    pattern = _REFERENCE if reference else _PATH
    if not isinstance(value, str) or not (pattern.fullmatch(value) or (_is_intrinsic(value) and not reference)):
        yield schema(f"Value is not a {'Reference Path' if reference else 'valid JSONPath'}: {value}", where)


def _is_intrinsic(text: str) -> bool:
    called = re.fullmatch(r"States\.(\w+)\(.*\)", text, re.DOTALL)
    return called is not None and called[1] in INTRINSICS and text.count("(") == text.count(")")


def _template_problems(value: Any, where: str) -> Iterator[Problem]:
    """Check a payload template: a field `name.$` has a path or an intrinsic function."""
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _template_problems(inner, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not name.endswith(".$"):
                yield from _template_problems(inner, f"{where}/{name}")
            elif not isinstance(inner, str) or next(path_problems(inner, where), None):
                yield schema(
                    f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call",
                    f"{where}/{name}",
                )


def payload_problems(value: Any, language: str, where: str) -> Iterator[Problem]:
    """Check Arguments, Parameters, selectors and the like, in either language."""
    yield from expression_problems(value, where) if language == JSONATA else _template_problems(value, where)


def assign_problems(value: Any, language: str, taken: frozenset[str], where: str) -> Iterator[Problem]:
    """Check variables that a state sets: names, none of an outer scope's, and values."""
    if not isinstance(value, dict):
        yield schema("Expected an object", where)
        return
    for name in value:
        plain = name.removesuffix(".$") if language == JSONPATH else name
        if not re.fullmatch(r"[^\W\d]\w{0,79}", plain) or plain == "states":
            yield schema(f"Invalid variable name: {name}", where)
        elif plain in taken:
            yield schema(f"Variable {plain} is assigned in an outer scope", where)
    yield from payload_problems(value, language, where)


def assigned(states: dict[str, Any]) -> frozenset[str]:
    """Return the variables that states of one scope set."""
    holders = [
        holder
        for state in states.values()
        if isinstance(state, dict)
        for holder in (state, *_dicts(state.get("Catch")), *_dicts(state.get("Choices")))
    ]
    return frozenset(
        name.removesuffix(".$")
        for holder in holders
        if isinstance(holder.get("Assign"), dict)
        for name in holder["Assign"]
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
