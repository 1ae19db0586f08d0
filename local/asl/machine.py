"""Check a whole definition: its states, the ways between them, and what is nested in Map and Parallel."""

import json
from collections.abc import Iterator
from typing import Any

from local.asl.fields import JSONATA, JSONPATH, MACHINE, NESTED
from local.asl.states import state_problems
from local.asl.values import LONGEST_S, Problem, assigned, number_problems, schema

LARGEST_BYTES = 1024 * 1024
LONGEST_NAME = 80


def problems(definition: str | dict[str, Any], *, express: bool = False) -> list[Problem]:
    """Return everything for which Step Functions refuses a definition; empty if it is accepted."""
    if isinstance(definition, str):
        if len(definition.encode("utf-8", "surrogatepass")) > LARGEST_BYTES:
            return [schema(f"The definition has more than {LARGEST_BYTES} bytes", "/")]
        try:
            definition = json.loads(definition)
        except (ValueError, RecursionError) as error:
            return [Problem("INVALID_JSON_DESCRIPTION", f"The definition is not JSON: {error}", "/")]
    if not isinstance(definition, dict):
        return [Problem("INVALID_JSON_DESCRIPTION", "The definition must be an object", "/")]
    language = definition.get("QueryLanguage", JSONPATH)
    if language not in (JSONPATH, JSONATA):
        return [schema("Expected JSONPath or JSONata", "/QueryLanguage")]
    found = list(_machine_problems(definition, language, frozenset(), "", express=express))
    return found + _repeated_names(definition)


def _machine_problems(
    machine: dict[str, Any], language: str, outer: frozenset[str], where: str, *, express: bool
) -> Iterator[Problem]:
    for name in sorted(machine.keys() - (NESTED if where else MACHINE)):
        yield schema(f"Field '{name}' is not supported", where or "/")
    if "TimeoutSeconds" in machine:
        yield from number_problems(machine["TimeoutSeconds"], 1, LONGEST_S, "", f"{where}/TimeoutSeconds")
    states = machine.get("States")
    if not isinstance(states, dict) or not states or not all(isinstance(state, dict) for state in states.values()):
        yield schema("These fields are required: [States], with a state", where or "/")
        return
    yield from _way_problems(machine.get("StartAt"), states, where)
    for name, state in states.items():
        here = f"{where}/States/{name}"
        if not 0 < len(name) <= LONGEST_NAME:
            yield Problem("INVALID_STATE_NAME", f"A state's name has 1 to {LONGEST_NAME} characters", here)
        spoken = state.get("QueryLanguage", language)
        if spoken not in (JSONPATH, JSONATA) or (language, spoken) == (JSONATA, JSONPATH):
            yield schema(f"QueryLanguage {spoken} is not allowed in a state of a {language} machine", here)
            continue
        yield from state_problems(state, spoken, outer, here, express=express)
        for machine_within, place in _nested(state, here):
            if express and _is_distributed(machine_within):
                yield schema("Express state machines do not support a Map of mode DISTRIBUTED", place)
            yield from _machine_problems(machine_within, spoken, outer | assigned(states), place, express=express)


def _nested(state: dict[str, Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (definition, location) of what a Map or a Parallel runs."""
    for name in ("ItemProcessor", "Iterator"):
        if state.get("Type") == "Map" and name in state:
            yield _as_dict(state[name]), f"{where}/{name}"
    branches = state.get("Branches") if state.get("Type") == "Parallel" else None
    for index, branch in enumerate(branches if isinstance(branches, list) else []):
        yield _as_dict(branch), f"{where}/Branches[{index}]"


def _is_distributed(machine: dict[str, Any]) -> bool:
    return _as_dict(machine.get("ProcessorConfig")).get("Mode") == "DISTRIBUTED"


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _way_problems(start: Any, states: dict[str, Any], where: str) -> Iterator[Problem]:
    """Yield the problems of ways: each must lead to a state, each state must be reached, and one must be the last."""
    if start not in states:
        yield Problem("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {start}", f"{where}/StartAt")
    for name, state in states.items():
        for target, place in ways(state):
            if target not in states:
                message = f"Missing '{place.rpartition('/')[2]}' target: {target}"
                yield Problem("MISSING_TRANSITION_TARGET", message, f"{where}/States/{name}/{place}")
    for name in sorted(states.keys() - reached(states, start)):
        yield Problem("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', f"{where}/States/{name}")
    if not any("End" in state or state.get("Type") in ("Succeed", "Fail") for state in states.values()):
        yield Problem("MISSING_END_STATE", "The workflow does not have a terminal state", where or "/")


def ways(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (the state that may follow, the field that names it)."""
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield state[field], field
    for field in ("Choices", "Catch"):
        listed = state.get(field)
        for index, each in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(each, dict) and isinstance(each.get("Next"), str):
                yield each["Next"], f"{field}[{index}]/Next"


def reached(states: dict[str, Any], start: Any) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in states and name not in found:
            found.add(name)
            waiting += [target for target, _ in ways(states[name])]
    return found


def _repeated_names(definition: dict[str, Any]) -> list[Problem]:
    """Yield names used twice: a state's name is unique in the whole machine, including nested states."""
    places: dict[str, list[str]] = {}
    for name, place in _names(definition, ""):
        places.setdefault(name, []).append(place)
    return [
        Problem("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", place)
        for name, found in places.items()
        for place in found[1:]
    ]


def _names(machine: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for name, state in _as_dict(machine.get("States")).items():
        yield name, f"{where}/States/{name}"
        for within, place in _nested(_as_dict(state), f"{where}/States/{name}"):
            yield from _names(within, place)
