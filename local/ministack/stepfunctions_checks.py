"""Refuse what Step Functions refuses when a machine is made, changed or started: definitions, names, roles and
inputs.
"""

import json
import re
from collections.abc import Callable

from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions as sfn

from local.asl.machine import problems

SFN = "ministack.services.stepfunctions"
HOOKS = tuple(
    f"{SFN}:{name}"
    for name in (
        "_create_state_machine",
        "_update_state_machine",
        "_validate_state_machine_definition",
        "_start_execution",
        "_resolve_state_machine_arn",
        "_executions",
        "_state_machines",
    )
)
LARGEST_INPUT_BYTES = 256 * 1024
NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")
Refusal = tuple[str, str]


def register() -> None:
    sfn._create_state_machine = _checked(sfn._create_state_machine, _machine_refusal)
    sfn._update_state_machine = _checked(sfn._update_state_machine, _machine_refusal)
    sfn._start_execution = _started_once(_checked(sfn._start_execution, _execution_refusal))
    sfn._validate_state_machine_definition = validate


def _checked(operation: Callable[[dict], tuple], refusal: Callable[[dict], Refusal | None]) -> Callable[[dict], tuple]:
    def perform(request):
        refused = refusal(request)
        return error_response_json(*refused, 400) if refused else operation(request)

    return perform


def _machine_refusal(request: dict) -> Refusal | None:
    """Return (code, message), or None for an acceptable machine."""
    name, role = request.get("name"), request.get("roleArn")
    if name is not None and not NAME.fullmatch(str(name)):
        return "InvalidName", f"Invalid Name: '{name}'"
    if role is not None and not ROLE.fullmatch(str(role)):
        return "InvalidArn", f"Invalid Role Arn: '{role}'"
    if "definition" not in request:
        return None
    known = sfn._state_machines.get(request.get("stateMachineArn")) or {}
    found = problems(request["definition"], express=request.get("type", known.get("type")) == "EXPRESS")
    if found:
        return "InvalidDefinition", f"Invalid State Machine Definition: '{', '.join(map(str, found))}'"
    ignored = list(_unsupported(json.loads(request["definition"]), "JSONPath"))
    return ("InvalidDefinition", f"Not simulated by the local AWS: {'; '.join(ignored)}") if ignored else None


def _unsupported(definition: dict, language: str):
    """Return one sentence for each thing that would be ignored, in this and all nested definitions."""
    language = definition.get("QueryLanguage", language)
    for name, state in definition.get("States", {}).items():
        spoken = state.get("QueryLanguage", language)
        if "Credentials" in state:
            yield f"{name}: Credentials (another role for one task)"
        if "HeartbeatSeconds" in state and ".waitForTaskToken" not in state.get("Resource", ""):
            yield f"{name}: HeartbeatSeconds without a task token"
        if spoken != "JSONata" and any("Assign" in way for way in (*state.get("Choices", []), *state.get("Catch", []))):
            yield f"{name}: Assign of a rule or a catcher in JSONPath; use JSONata"
        processor = state.get("ItemProcessor") or state.get("Iterator") or {}
        if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED" and spoken != "JSONata":
            ignored = [field for field in ("ItemBatcher", "ResultWriter") if field in state]
            yield from (f"{name}: {field} in JSONPath; use JSONata" for field in ignored)
        for nested in (processor, *state.get("Branches", [])):
            yield from _unsupported(nested, spoken)


def validate(request: dict) -> tuple:
    """ValidateStateMachineDefinition."""
    found = problems(request.get("definition", ""), express=request.get("type") == "EXPRESS")
    most = request.get("maxResults") or 100
    diagnostics = [{"severity": "ERROR", **problem._asdict()} for problem in found[:most]]
    result = {"result": "FAIL" if found else "OK", "diagnostics": diagnostics}
    return json_response({**result, "truncated": len(found) > most})


def _execution_refusal(request: dict) -> Refusal | None:
    name, given = request.get("name"), request.get("input", "{}")
    if name is not None and not NAME.fullmatch(str(name)):
        return "InvalidName", f"Invalid Name: '{name}'"
    size = len(str(given).encode("utf-8", "surrogatepass"))
    if size > LARGEST_INPUT_BYTES:
        return (
            "ValidationException",
            (
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                "Member must have length less "
                f"than or equal to {LARGEST_INPUT_BYTES}"
            ),
        )
    try:
        json.loads(given)
    except (TypeError, ValueError):
        return "InvalidExecutionInput", "Invalid State Machine Execution Input: the input is not JSON"
    return None


def _started_once(start: Callable[[dict], tuple]) -> Callable[[dict], tuple]:
    """Return the running execution for the same name and input, so that a client may repeat itself."""

    def start_once(request):
        running = _running(request)
        if running:
            return json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})
        return start(request)

    return start_once


def _running(request: dict) -> dict | None:
    machine = sfn._state_machines.get(sfn._resolve_state_machine_arn(request.get("stateMachineArn", "")))
    if not machine or not request.get("name") or machine.get("type") == "EXPRESS":
        return None
    arn = f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{request['name']}"
    found = sfn._executions.get(arn)
    same = found and found["status"] == "RUNNING" and found["input"] == request.get("input", "{}")
    return found if same else None
