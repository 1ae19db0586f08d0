"""Check one state: its fields, their values, and what its type requires."""

import re
from collections.abc import Iterator
from typing import Any

from local.asl import resources
from local.asl.choices import rule_problems
from local.asl.failures import catch_problems, retry_problems
from local.asl.fields import ANYWHERE, AT_MOST_ONE, EITHER, ENDS, FIELDS, JSONATA, JSONPATH, REQUIRED
from local.asl.values import (
    LONGEST_S,
    Problem,
    assign_problems,
    expression_problems,
    is_expression,
    is_whole,
    number_problems,
    path_problems,
    payload_problems,
    schema,
)

_NUMBERS = {
    "Seconds": (0, LONGEST_S),
    "TimeoutSeconds": (1, LONGEST_S),
    "HeartbeatSeconds": (1, LONGEST_S),
    "MaxConcurrency": (0, LONGEST_S),
    "ToleratedFailureCount": (0, LONGEST_S),
}
_PAYLOADS = (
    "Arguments",
    "Output",
    "Parameters",
    "ResultSelector",
    "ItemSelector",
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Items",
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def state_problems(
    state: dict[str, Any], language: str, taken: frozenset[str], where: str, *, express: bool
) -> Iterator[Problem]:
    """Yield the problems of a state by itself; `taken` are the variables of outer scopes.

    Its ways and nested states are checked elsewhere.
    """
    fields = FIELDS[language].get(str(state.get("Type")))
    if fields is None:
        yield schema(f"Invalid state type: {state.get('Type')}", f"{where}/Type")
        return
    yield from _field_problems(state, fields, language, where)
    yield from _value_problems(state, language, where)
    yield from _failure_problems(state, language, taken, where)
    yield from _type_problems(state, language, taken, where, express=express)


def _field_problems(state: dict[str, Any], fields: frozenset[str], language: str, where: str) -> Iterator[Problem]:
    kind = state["Type"]
    for name in sorted(state.keys() - fields - ANYWHERE):
        yield schema(f"Field '{name}' is not supported in a {kind} state of {language}", where)
    missing = [name for name in REQUIRED.get(kind, ()) if name not in state]
    if missing:
        yield schema(f"These fields are required: {missing}", where)
    if kind in EITHER and sum(name in state for name in EITHER[kind]) != 1:
        yield schema(
            f"Exactly one of these fields is required: {[name for name in EITHER[kind] if name in fields]}", where
        )
    for names in AT_MOST_ONE:
        if all(name in state for name in names):
            yield schema(f"Only one of these fields is allowed: {list(names)}", where)
    ways = sum(name in state for name in ("Next", "End"))
    if kind not in (*ENDS, "Choice") and ways != 1:
        yield schema("Exactly one of these fields is required: ['Next', 'End']", where)
    if state.get("End", True) is not True:
        yield schema("End must be true", f"{where}/End")


def _value_problems(state: dict[str, Any], language: str, where: str) -> Iterator[Problem]:
    for name, (least, most) in _NUMBERS.items():
        if name in state:
            yield from number_problems(state[name], least, most, language, f"{where}/{name}")
    for name in _PAYLOADS:
        if name in state:
            yield from payload_problems(state[name], language, f"{where}/{name}")
    if language == JSONPATH:
        for name in sorted(name for name in state if name.endswith("Path")):
            yield from path_problems(state[name], f"{where}/{name}", reference=name == "ResultPath")
    if language == JSONATA:
        for name in ("Error", "Cause", "Seconds", "Timestamp", "TimeoutSeconds", "HeartbeatSeconds"):
            yield from expression_problems(state.get(name), f"{where}/{name}")
    timestamp = state.get("Timestamp")
    if timestamp is not None and not is_expression(timestamp) and not _RFC3339.fullmatch(str(timestamp)):
        yield schema("Expected an ISO 8601 timestamp", f"{where}/Timestamp")


def _failure_problems(state: dict[str, Any], language: str, taken: frozenset[str], where: str) -> Iterator[Problem]:
    if "Assign" in state:
        yield from assign_problems(state["Assign"], language, taken, f"{where}/Assign")
    if "Retry" in state:
        yield from retry_problems(state["Retry"], language, f"{where}/Retry")
    if "Catch" in state:
        yield from catch_problems(state["Catch"], language, taken, f"{where}/Catch")


def _type_problems(
    state: dict[str, Any], language: str, taken: frozenset[str], where: str, *, express: bool
) -> Iterator[Problem]:
    if state["Type"] == "Choice":
        rules = state.get("Choices")
        if "Choices" in state and (not isinstance(rules, list) or not rules):
            yield schema("Expected a list with a rule", f"{where}/Choices")
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            yield from rule_problems(rule, language, taken, f"{where}/Choices[{index}]")
    if state["Type"] == "Task" and "Resource" in state:
        reason = resources.problem(state["Resource"], express=express)
        if reason:
            yield Problem("INVALID_RESOURCE", reason, f"{where}/Resource")
        timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
        if is_whole(timeout) and is_whole(heartbeat) and int(heartbeat or 0) >= int(timeout or 0):
            yield schema("HeartbeatSeconds must be smaller than TimeoutSeconds", where)
