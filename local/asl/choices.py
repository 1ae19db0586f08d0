"""Check the rules of a Choice, in JSONata and in JSONPath."""

from collections.abc import Iterator
from typing import Any

from local.asl.fields import JSONATA
from local.asl.values import (
    Problem,
    assign_problems,
    expression_problems,
    is_expression,
    path_problems,
    schema,
)

_ORDERED = [
    f"{kind}{comparison}{path}"
    for kind in ("String", "Numeric", "Timestamp")
    for comparison in ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
    for path in ("", "Path")
]
_TESTS = ("IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp")
OPERATORS = frozenset((*_ORDERED, "StringMatches", "BooleanEquals", "BooleanEqualsPath", *_TESTS))
_COMBINED = ("And", "Or", "Not")
_OF_A_RULE = {"Next", "Assign", "Comment"}


def rule_problems(rule: Any, language: str, taken: frozenset[str], where: str) -> Iterator[Problem]:
    """Yield the problems of one rule of Choices."""
    if not isinstance(rule, dict):
        yield schema("Expected an object", where)
        return
    if not isinstance(rule.get("Next"), str):
        yield schema("These fields are required: [Next]", where)
    if "Assign" in rule:
        yield from assign_problems(rule["Assign"], language, taken, f"{where}/Assign")
    if language == JSONATA:
        yield from _condition_problems(rule, where)
    else:
        yield from _test_problems({name: value for name, value in rule.items() if name not in _OF_A_RULE}, where)


def _condition_problems(rule: dict[str, Any], where: str) -> Iterator[Problem]:
    for name in sorted(rule.keys() - _OF_A_RULE - {"Condition", "Output"}):
        yield schema(f"Field '{name}' is not supported", where)
    if not isinstance(rule.get("Condition"), bool) and not is_expression(rule.get("Condition")):
        yield schema("The field 'Condition' must be a boolean or a JSONata expression", f"{where}/Condition")
    for name in ("Condition", "Output"):
        yield from expression_problems(rule.get(name), f"{where}/{name}")


def _test_problems(test: dict[str, Any], where: str) -> Iterator[Problem]:
    """Yield the problems of a test: `And`, `Or`, `Not`, or a Variable with one operator."""
    combined = [name for name in _COMBINED if name in test]
    operators = sorted(test.keys() & OPERATORS)
    for name in sorted(test.keys() - OPERATORS - {*_COMBINED, "Variable"}):
        yield schema(f"Field '{name}' is not supported", where)
    if len(combined) + len(operators) != 1 or bool(operators) != ("Variable" in test):
        yield schema("A rule needs one of And, Or, Not, or a Variable with one operator", where)
    if "Variable" in test:
        yield from path_problems(test["Variable"], f"{where}/Variable")
    for name in combined:
        inner = [test[name]] if name == "Not" else test[name]
        for index, each in enumerate(inner if isinstance(inner, list) else []):
            yield from _test_problems(each if isinstance(each, dict) else {}, f"{where}/{name}[{index}]")
