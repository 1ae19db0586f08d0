"""The tasks of a state machine, and what its JSONata gives."""

import json

import jsonata

from tests.infra.reading import text


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
