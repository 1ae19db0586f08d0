"""SageMaker from Step Functions: the optimised integrations with `.sync`, and `aws-sdk:sagemaker:*`."""

import contextvars
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError

from local.ministack import sagemaker_iam
from local.sagemaker.errors import SageMakerError
from local.sagemaker.jobs import BUSY
from local.sagemaker.kinds import JOBS
from local.sagemaker.shapes import in_milliseconds, service

HOOKS = (
    "ministack.services.stepfunctions:_execute_task",
    "ministack.services.stepfunctions:_SERVICE_DISPATCH",
    "ministack.services.stepfunctions:_executions",
    "ministack.services.stepfunctions:_state_machines",
    "ministack.services.stepfunctions:_sdk_json_params",
    "ministack.services.stepfunctions:_sdk_json_result",
    "ministack.services.stepfunctions:_ExecutionError",
)
OPTIMISED = "arn:aws:states:::sagemaker:"
SDK = "arn:aws:states:::aws-sdk:sagemaker:"
OPERATIONS = (
    "CreateEndpoint",
    "CreateEndpointConfig",
    "CreateModel",
    "CreateProcessingJob",
    "CreateTrainingJob",
    "CreateTransformJob",
    "UpdateEndpoint",
)
# Errors in the service's model keep their names; all others are the client's general exception.
MODELLED = {
    "ResourceInUse": "ResourceInUseException",
    "ResourceNotFound": "ResourceNotFoundException",
    "ResourceLimitExceeded": "ResourceLimitExceededException",
    "ConflictException": "ConflictException",
}


@dataclass(frozen=True)
class Task:
    """The running task state: its execution, its state machine's role and its time limit."""

    execution: dict
    role_arn: str
    deadline: float | None


class Aborted(SystemExit):
    """End the thread of a stopped execution. Not an error of the task, so no Retry or Catch sees it."""


_task: contextvars.ContextVar[Task | None] = contextvars.ContextVar("sagemaker_task", default=None)


def register(call: Callable[[str, dict], dict], engine: Callable) -> None:
    execute_task = stepfunctions._execute_task

    def execute_task_known(state, raw_input, execution, context):
        """Pass execution and state to an integration, which MiniStack does not; `.sync` needs both."""
        token = _task.set(_task_of(stepfunctions, state, execution, context))
        try:
            return execute_task(state, raw_input, execution, context)
        finally:
            _task.reset(token)

    stepfunctions._execute_task = execute_task_known
    stepfunctions._SERVICE_DISPATCH[OPTIMISED] = lambda resource, request: optimised(resource, request, call, engine)
    stepfunctions._SERVICE_DISPATCH[SDK] = lambda resource, request: _aws_sdk(resource, request, call)


def _task_of(stepfunctions, state: dict, execution: dict, context: dict) -> Task:
    """Return the task; an item of a distributed map runs as a child execution, and its parent is the one that is
    stopped.
    """
    whole = stepfunctions._executions.get(context["Execution"]["Id"], execution)
    machine = stepfunctions._state_machines.get(whole["stateMachineArn"]) or {}
    timeout_s = state.get("TimeoutSeconds")
    deadline = time.monotonic() + timeout_s if isinstance(timeout_s, int | float) else None
    return Task(whole, machine.get("roleArn", ""), deadline)


def optimised(resource: str, request: dict, call, engine) -> dict:
    action, _, pattern = resource.removeprefix(OPTIMISED).partition(".")
    operation = action[0].upper() + action[1:]
    kind = operation.removeprefix("Create")
    if operation not in OPERATIONS or (pattern and (kind not in JOBS or not pattern.startswith("sync"))):
        raise failed(
            "States.Runtime",
            f"{resource} is not an optimised integration of SageMaker. Use "
            f"{SDK}{action}, or one of {', '.join(name[0].lower() + name[1:] for name in OPERATIONS)}.",
        )
    needed = sagemaker_iam.sync_checks(kind, request.get(f"{kind}Name", "")) if pattern else []
    response = perform(operation, request, call, "AmazonSageMakerException", needed)
    if pattern:
        return _wait_for_job(kind, request[f"{kind}Name"], call, engine)
    return {"SdkHttpMetadata": {"HttpStatusCode": 200}, **response}


def _aws_sdk(resource: str, request: dict, call) -> dict:
    """Write names and times as Step Functions does for the AWS SDK for Java."""
    operation = resource.removeprefix(SDK)
    if "." in operation:
        raise failed(
            "States.Runtime",
            f"{resource}: SageMaker's SDK integrations only request a response. Use {OPTIMISED}{operation}",
        )
    operation = operation[0].upper() + operation[1:]
    known = stepfunctions._sdk_json_params({}, "sagemaker", operation, request)
    return stepfunctions._sdk_json_result("sagemaker", operation, perform(operation, known, call, "SageMakerException"))


def perform(operation: str, request: dict, call, general_error: str, needed: Sequence = ()) -> dict:
    """Call the service with the state machine's role, which must also have what else is `needed`."""
    task, request = _task.get(), _whole_numbers(request or {})
    try:
        if task:
            needed = [*sagemaker_iam.checks(operation, request), *needed]
            sagemaker_iam.enforce_as_role(task.role_arn, task.execution["name"], needed)
        return call(operation, request)
    except SageMakerError as error:
        name = MODELLED.get(error.code, general_error)
        raise failed(
            f"SageMaker.{name}",
            f"{error.message} (Service: AmazonSageMaker; Status Code: {error.status}; Error Code: {error.code})",
        ) from error


def _whole_numbers(value):
    """Convert 2.0, which JSONata may compute, to 2, as Step Functions sends it."""
    if isinstance(value, dict):
        return {name: _whole_numbers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _wait_for_job(kind: str, name: str, call, engine) -> dict:
    """Wait until the job ends; stop it when the execution is stopped or the state's time is over."""
    store, task = engine().store, _task.get()
    while True:
        over = store.wait_for(lambda: (store.get(kind, name) or {}).get(f"{kind}Status") not in BUSY, timeout_s=0.25)
        if over:
            break
        if task and task.execution["status"] != "RUNNING":
            call(f"Stop{kind}", {f"{kind}Name": name})
            raise Aborted()
        if task and task.deadline and time.monotonic() > task.deadline:
            call(f"Stop{kind}", {f"{kind}Name": name})
            raise failed("States.Timeout", f"{kind} {name} did not end within TimeoutSeconds")
    described = call(f"Describe{kind}", {f"{kind}Name": name})
    result = in_milliseconds(described, service().operation_model(f"Describe{kind}").output_shape)
    if described[f"{kind}Status"] != "Completed":
        raise failed("States.TaskFailed", json.dumps(result))
    return result


def failed(error: str, cause: str) -> Exception:
    return _ExecutionError(error, cause)
