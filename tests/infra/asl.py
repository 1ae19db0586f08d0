"""Amazon States Language, read strictly: what is wrong with a state machine, and what its JSONata gives."""

import json

import jsonata
from reading import text

FIELDS = {
    "Task": {"Resource", "Arguments", "TimeoutSeconds", "Retry", "Catch", "Next", "End", "Assign", "Output"},
    "Map": {
        "Items",
        "ItemReader",
        "ItemSelector",
        "ItemProcessor",
        "MaxConcurrency",
        "Label",
        "Retry",
        "Catch",
        "Next",
        "End",
        "Assign",
        "Output",
    },
    "Pass": {"Next", "End", "Assign", "Output"},
    "Wait": {"Seconds", "Timestamp", "Next", "End", "Assign", "Output"},
    "Choice": {"Choices", "Default", "Assign", "Output"},
    "Succeed": {"Output"},
    "Fail": {"Error", "Cause"},
}
ENDS = ("Succeed", "Fail")


def problems(machine: dict) -> list[str]:
    """Every breach of the language in a definition in JSONata, each in words."""
    found = [] if machine.get("QueryLanguage") == "JSONata" else ["the definition does not say JSONata"]
    found += [] if machine.get("TimeoutSeconds") else ["the definition has no time limit"]
    return found + state_problems(machine)


def state_problems(machine: dict) -> list[str]:
    states, found = machine["States"], []
    for name, state in states.items():
        unknown = state.keys() - FIELDS[state["Type"]] - {"Type", "Comment"}
        found += [f"{name}: {field} is no field of a {state['Type']} in JSONata" for field in sorted(unknown)]
        found += [
            f"{name}: goes on at {target}, which is not there" for target in targets(state) if target not in states
        ]
        ways = sum(key in state for key in ("Next", "End"))
        if state["Type"] in (*ENDS, "Choice") and ways or state["Type"] not in (*ENDS, "Choice") and ways != 1:
            found.append(f"{name}: has {ways} of Next and End")
        if state["Type"] == "Map":
            found += [f"{name}/{problem}" for problem in state_problems(state["ItemProcessor"])]
    unreached = states.keys() - reached(states, machine["StartAt"])
    return found + [f"{name}: is never reached" for name in sorted(unreached)]


def targets(state: dict) -> list[str]:
    branches = [*state.get("Catch", []), *state.get("Choices", [])]
    return [branch["Next"] for branch in branches] + [state[key] for key in ("Next", "Default") if key in state]


def reached(states: dict, name: str) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name not in found and name in states:
            found.add(name)
            waiting += targets(states[name])
    return found


def tasks(machine: dict, within: dict | None = None):
    """(name, state, the Map around it or None) of every task."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state, within
        if state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"], state)


def evaluate(template, variables: dict, *, input=None, result=None, error=None, context=None):
    """What a field gives when every {% expression %} in it is evaluated, as Step Functions does."""
    if isinstance(template, dict):
        if len(template) == 1 and next(iter(template)).startswith(("Fn::", "Ref")):
            return text(template)
        given = {"input": input, "result": result, "error": error, "context": context}
        return {key: evaluate(value, variables, **given) for key, value in template.items()}
    if isinstance(template, list):
        return [
            evaluate(item, variables, input=input, result=result, error=error, context=context) for item in template
        ]
    if not (isinstance(template, str) and template.startswith("{%")):
        return template
    states = {"input": input, "result": result, "errorOutput": error, "context": context}
    expression = jsonata.Jsonata(template[2:-2].strip())
    expression.register_lambda("parse", json.loads)  # one of the functions that Step Functions adds
    value = expression.evaluate(None, {**variables, "states": states})
    if value is None:
        raise ValueError(f"gives nothing, and an execution would fail there: {template}")
    return value
