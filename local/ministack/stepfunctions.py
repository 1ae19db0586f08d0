"""Step Functions with roles: every integration may do only what the state machine's role allows.

Also: a stopped or timed-out execution starts nothing more, and results over 256 KiB fail as on AWS. Checks of new
machines are in `stepfunctions_checks`; outputs and variables in `stepfunctions_answers`.
"""

import contextvars
import json
import threading
from collections.abc import Callable

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region, now_iso
from ministack.services import lambda_svc
from ministack.services import stepfunctions as sfn
from ministack.services.stepfunctions import _ExecutionError

from local.ministack import autoscaling, stepfunctions_answers, stepfunctions_checks, stepfunctions_map
from local.ministack.roles import denial

SFN = "ministack.services.stepfunctions"
HOOKS = (
    *tuple(
        f"{SFN}:{name}"
        for name in (
            "_execute_task",
            "_execute_map",
            "_execute_parallel",
            "_execute_pass",
            "_run_execution",
            "_invoke_resource",
            "_invoke_with_callback",
            "_executions",
            "_state_machines",
            "_ExecutionError",
            "_add_event",
            "_emit_execution_status_event",
            "_resolve_lambda_function_ref",
            "_AWS_SDK_ERROR_PREFIX",
        )
    ),
    "ministack.app:call_service_handler_sync",
    "ministack.core.iam_actions:extract_iam_action",
    "ministack.core.iam_actions:extract_resource_arn",
    "ministack.core.iam_actions:dynamodb_service_context",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.lambda_runtime:execution_credentials",
    "ministack.services.lambda_svc:_get_func_record_for_ref",
    *stepfunctions_answers.HOOKS,
    *stepfunctions_checks.HOOKS,
    *stepfunctions_map.HOOKS,
)

LARGEST_RESULT_BYTES = 256 * 1024
# (role ARN, execution name) of the running task
_role: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("state_machine_role", default=None)


class Stopped(SystemExit):
    """End a thread of an execution that is over. Not an error of a state, so no Retry or Catch sees it."""


def register() -> None:
    run_execution = sfn._run_execution
    invoke, invoke_with_callback = sfn._invoke_resource, sfn._invoke_with_callback
    call_service = app.call_service_handler_sync

    def invoke_allowed(resource, request):
        _check_integration(resource, request)
        return invoke(resource, request)

    def invoke_with_callback_allowed(resource, request, token, state):
        _check_integration(resource.replace(".waitForTaskToken", ""), request)
        return invoke_with_callback(resource, request, token, state)

    def call_allowed(handler, method, path, headers, body, query_params, timeout=None):
        _check_call(method, path, headers, body, query_params)
        return call_service(handler, method, path, headers, body, query_params, timeout)

    sfn._execute_task, sfn._execute_map = limited(as_role(sfn._execute_task)), limited(as_role(sfn._execute_map))
    sfn._execute_parallel = limited(as_role(sfn._execute_parallel))
    sfn._execute_pass = limited(sfn._execute_pass)
    sfn._run_execution = lambda arn: _run_in_time(run_execution, arn)
    sfn._invoke_resource, sfn._invoke_with_callback = invoke_allowed, invoke_with_callback_allowed
    stepfunctions_checks.register()
    stepfunctions_answers.register()
    app.call_service_handler_sync = call_allowed
    stepfunctions_map.register(require)


# Permissions of the role


def as_role(execute: Callable) -> Callable:
    """Run a state with the role of its machine, unless the execution is over.

    A child's parent is the one that is stopped.
    """

    def execute_as_role(state, raw_input, execution, context):
        whole = sfn._executions.get(context["Execution"]["Id"], execution)
        if whole["status"] != "RUNNING":
            raise Stopped()
        machine = sfn._state_machines.get(whole["stateMachineArn"]) or {}
        token = _role.set((machine.get("roleArn", ""), whole["name"]))
        try:
            return execute(state, raw_input, execution, context)
        finally:
            _role.reset(token)

    return execute_as_role


def _check_integration(resource: str, request: dict) -> None:
    """Check an optimised integration; those of the SDK use `_check_call`, SageMaker's are in sagemaker_states."""
    service, _, action = resource.removeprefix("arn:aws:states:::").partition(":")
    here = f"{get_region()}:{get_account_id()}"
    if service == "lambda":
        reference = sfn._resolve_lambda_function_ref(request.get("FunctionName", ""), optimized=True)
        config = lambda_svc._get_func_record_for_ref(reference)[1]
        if config:
            require("lambda", "lambda:InvokeFunction", config["FunctionArn"], "Lambda.AWSLambdaException")
    elif service == "dynamodb":
        table = request.get("TableName", "")
        arn = table if table.startswith("arn:") else f"arn:aws:dynamodb:{here}:table/{table}"
        require(
            "dynamodb",
            f"dynamodb:{action[0].upper()}{action[1:]}",
            arn,
            "DynamoDB.AmazonDynamoDBException",
            _key_context(request),
        )
    elif service == "sns":
        require("sns", "sns:Publish", request.get("TopicArn") or "*", "SNS.AmazonSNSException")
    elif service == "sqs":
        queue = request.get("QueueUrl", "").rstrip("/").rpartition("/")[2]
        require("sqs", "sqs:SendMessage", f"arn:aws:sqs:{here}:{queue}", "SQS.AmazonSQSException")
    elif service == "events":
        for bus in {entry.get("EventBusName") or "default" for entry in request.get("Entries", [])}:
            arn = bus if bus.startswith("arn:") else f"arn:aws:events:{here}:event-bus/{bus}"
            require("events", "events:PutEvents", arn, "EventBridge.AmazonEventBridgeException")
    elif service == "states":
        machine = request.get("StateMachineArn", "*")
        require("states", "states:StartExecution", machine, "StepFunctions.AWSStepFunctionsException")


def _key_context(request: dict) -> dict:
    from ministack.core.iam_actions import dynamodb_service_context  # lazy: a plugin replaces it while it registers

    return dynamodb_service_context(json.dumps(request).encode()) or {}


def _check_call(method: str, path: str, headers: dict, body, query_params: dict) -> None:
    """Check a call of a service's own API: action and resource are read from it, as over HTTP."""
    if _role.get() is None:
        return
    service = headers["authorization"].split("/")[3]
    body = body.encode() if isinstance(body, str) else body
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query_params)
    if action is None:
        return
    arn = iam_actions.extract_resource_arn(
        service, method, path, headers, body, query_params, get_region(), get_account_id()
    )
    prefix = sfn._AWS_SDK_ERROR_PREFIX.get(service.replace("-", ""), service.capitalize())
    context = {"dynamodb": iam_actions.dynamodb_service_context, autoscaling.NAME: autoscaling.iam_context}.get(
        service, lambda _: None
    )(body)
    require(service, action, arn, f"{prefix}.{prefix}Exception", context)


def require(service: str, action: str, arn: str, error: str, context: dict | None = None) -> None:
    """Raise the error, in the service's words, unless the role of the running task allows the action."""
    running = _role.get()
    reason = running and denial(*running, service, action, arn, context)
    if reason:
        raise _ExecutionError(error, reason)


# Limits


def limited(execute: Callable) -> Callable:
    """Limit a state's output to 256 KiB."""

    def execute_limited(state, *arguments):
        output, following = execute(state, *arguments)
        size = stepfunctions_answers.size(output)
        if size > LARGEST_RESULT_BYTES:
            raise _ExecutionError(
                "States.DataLimitExceeded",
                f"The state returned a result of {size} bytes, which exceeds "
                f"the maximum number of bytes service limit ({LARGEST_RESULT_BYTES}).",
            )
        return output, following

    return execute_limited


def _run_in_time(run: Callable[[str], None], arn: str) -> None:
    """Run an execution; end it as TIMED_OUT after the machine's own TimeoutSeconds."""
    execution = sfn._executions.get(arn) or {}
    machine = sfn._state_machines.get(execution.get("stateMachineArn")) or {}
    timeout_s = json.loads(machine.get("definition") or "{}").get("TimeoutSeconds")
    timer = None
    if timeout_s:
        timer = threading.Timer(timeout_s, contextvars.copy_context().run, (_time_out, execution))
        timer.daemon = True
        timer.start()
    try:
        run(arn)
    finally:
        if timer:
            timer.cancel()


def _time_out(execution: dict) -> None:
    if execution["status"] == "RUNNING":
        execution.update(status="TIMED_OUT", stopDate=now_iso(), error="States.Timeout")
        sfn._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
        sfn._emit_execution_status_event(execution)
