"""Outputs and variables that MiniStack leaves out: Output and Assign, in both languages; and the limits of an
execution.
"""

import json
import re
from collections.abc import Callable
from contextvars import ContextVar

from ministack.services import stepfunctions as sfn
from ministack.services.stepfunctions import _ExecutionError

SFN = "ministack.services.stepfunctions"
HOOKS = tuple(
    f"{SFN}:{name}"
    for name in (
        "_add_event",
        "_apply_jsonata_output",
        "_apply_jsonata_template",
        "_apply_output_path",
        "_apply_input_path",
        "_apply_parameters",
        "_apply_result_selector",
        "_apply_state_assign",
        "_evaluate_jsonata",
        "_execute_choice",
        "_execute_map",
        "_execute_parallel",
        "_execute_pass",
        "_execute_task",
        "_execute_wait",
        "_run_parallel_branches",
        "_run_sub_machine",
        "_next_or_end",
        "_resolve_params_obj",
        "_resolve_path",
        "_state_query_language",
        "_ExecutionError",
    )
)
LARGEST_BYTES = 256 * 1024
MOST_EVENTS = 25_000
_context: ContextVar[dict | None] = ContextVar(
    "state_context", default=None
)  # of the running state: its variables above all


def register() -> None:
    sfn._apply_state_assign = assign
    sfn._apply_output_path = _succeeding(sfn._apply_output_path)
    sfn._apply_parameters = _with_arguments(sfn._apply_parameters)
    sfn._apply_result_selector = _assigning(sfn._apply_result_selector)
    sfn._resolve_path = _with_variables(sfn._resolve_path)
    sfn._run_parallel_branches = _giving(sfn._run_parallel_branches)
    sfn._run_sub_machine = _scoped(sfn._run_sub_machine)
    sfn._execute_choice = _choosing(sfn._execute_choice)
    sfn._add_event = _counted(sfn._add_event)
    for name in (
        "_execute_pass",
        "_execute_wait",
        "_execute_choice",
        "_execute_task",
        "_execute_map",
        "_execute_parallel",
    ):
        setattr(sfn, name, _in_context(getattr(sfn, name)))


def size(value: object) -> int:
    """Return the size in bytes of UTF-8, as Step Functions counts."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _is_jsonata(state: dict, context: dict) -> bool:
    return sfn._state_query_language(state, context) == "JSONata"


# Variables


def assign(state: dict, given, context: dict, result=None, error_output=None) -> None:
    """Set a JSONata state's variables at once: each expression sees the earlier values."""
    if context is not None and isinstance(state.get("Assign"), dict):
        _set(
            context,
            sfn._apply_jsonata_template(state["Assign"], given, context, result=result, error_output=error_output),
        )


def _set(context: dict, values: dict) -> None:
    for name, value in values.items():
        if size(value) > LARGEST_BYTES:
            raise _ExecutionError("States.DataLimitExceeded", f"The variable {name} exceeds {LARGEST_BYTES} bytes")
    context.setdefault("variables", {}).update(values)


def _in_context(execute: Callable) -> Callable:
    """Pass the running state's variables down; the last argument of the call is its context."""

    def execute_in_context(state, *arguments):
        context = arguments[-1]
        token = _context.set(context)
        try:
            reply = execute(state, *arguments)
            if state.get("Type") in ("Wait", "Choice") and "Assign" in state and not _is_jsonata(state, context):
                effective = sfn._apply_input_path(state, arguments[0], context)
                _set(context, sfn._resolve_params_obj(state["Assign"], effective, context))
            return reply
        finally:
            _context.reset(token)

    return execute_in_context


def _assigning(select: Callable) -> Callable:
    """In JSONPath, Assign of a Pass, Task, Map or Parallel reads the result before it is selected from."""

    def select_and_assign(state, result):
        context = _context.get() or {}
        selected = select(state, result)
        if isinstance(state.get("Assign"), dict) and not _is_jsonata(state, context):
            _set(context, sfn._resolve_params_obj(state["Assign"], result, context))
        return selected

    return select_and_assign


def _with_variables(resolve: Callable) -> Callable:
    """Resolve `$name.rest` in JSONPath as the variable `name`."""

    def resolve_variable(path, data):
        named = re.match(r"\$([A-Za-z_]\w*)", path) if isinstance(path, str) else None
        if not named:
            return resolve(path, data)
        variables = (_context.get() or {}).get("variables", {})
        if named[1] not in variables:
            raise _ExecutionError("States.Runtime", f"The variable {named[1]} is not set: {path}")
        return resolve(f"${path[named.end() :]}", variables[named[1]])

    return resolve_variable


def _scoped(run: Callable) -> Callable:
    """Scope variables: a branch reads the outer ones and sets its own; neither leaves it."""

    def run_scoped(states, start_at, given, execution, context):
        return run(states, start_at, given, execution, {**context, "variables": dict(context.get("variables", {}))})

    return run_scoped


# Outputs


def _succeeding(apply: Callable) -> Callable:
    """Use Output for a Succeed in JSONata, where MiniStack reads an output path in either language."""

    def apply_output(state, data, context=None):
        if state.get("Type") == "Succeed" and _is_jsonata(state, context):
            return sfn._apply_jsonata_output(state, data, context, default=data)
        return apply(state, data, context)

    return apply_output


def _with_arguments(apply: Callable) -> Callable:
    def apply_arguments(state, data, context=None):
        if state.get("Type") == "Parallel" and "Arguments" in state and _is_jsonata(state, context):
            return sfn._apply_jsonata_template(state["Arguments"], data, context)
        return apply(state, data, context)

    return apply_arguments


def _giving(run: Callable) -> Callable:
    """Apply Output and Assign of a Parallel in JSONata."""

    def run_and_give(state, given, execution, context):
        results, following = run(state, given, execution, context)
        if not _is_jsonata(state, context):
            return results, following
        output = sfn._apply_jsonata_output(state, given, context, result=results, default=results)
        assign(state, given, context, result=results)
        return output, following

    return run_and_give


def _choosing(choose: Callable) -> Callable:
    def choose_in_jsonata(state, given, context=None):
        return _choice(state, given, context) if _is_jsonata(state, context) else choose(state, given, context)

    return choose_in_jsonata


def _choice(state: dict, given, context: dict) -> tuple:
    """Apply the first rule whose condition is true, or the state's own Output and Assign with its Default."""
    chosen = next((rule for rule in state["Choices"] if _is_true(rule["Condition"], given, context)), None)
    if chosen is None and "Default" not in state:
        raise sfn._ExecutionError("States.NoChoiceMatched", "No choice rule matched and there is no Default")
    way = state if chosen is None else chosen
    output = sfn._apply_jsonata_output(way, given, context, default=given)
    assign(way, given, context)
    return output, way["Default"] if chosen is None else way["Next"]


def _is_true(condition, given, context: dict) -> bool:
    value = sfn._apply_jsonata_template(condition, given, context)
    if not isinstance(value, bool):
        raise sfn._ExecutionError(
            "States.QueryEvaluationError", f"The Condition must be a boolean, found {json.dumps(value)}: {condition}"
        )
    return value


# Limits


def _counted(add: Callable) -> Callable:
    """Count events: an execution ends when its history is full, and its last event is always written."""

    def add_counted(execution, kind, details=None):
        if len(execution["events"]) >= MOST_EVENTS - 1 and not kind.startswith("Execution"):
            raise _ExecutionError(
                "States.Runtime", f"The execution reached the maximum number of history events ({MOST_EVENTS})."
            )
        return add(execution, kind, details)

    return add_counted
