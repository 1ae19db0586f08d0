"""A Step Functions state machine, and helpers that write its states. JSONata throughout, no glue code.

A flow is a dict of states in reading order; it starts at the first. `call` and `invoke` write a task with what every
task must have: a retry with growing pauses, a catch, and a time limit.
"""

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from domain.config.sections import Config
from infra.parts.function import Function, log_days
from infra.permissions import Many, accept, allow

# Errors that ask for a later retry. Most optimised SageMaker integrations have a single name.
TRANSIENT = {
    "lambda": [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ],
    "sagemaker": ["SageMaker.AmazonSageMakerException", "SageMaker.SageMakerException", "SageMaker.SdkClientException"],
    "dynamodb": [
        "DynamoDB.InternalServerErrorException",
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.RequestLimitExceededException",
        "DynamoDB.ThrottlingException",
        "DynamoDB.SdkClientException",
    ],
    "states": ["StepFunctions.AWSStepFunctionsException", "StepFunctions.SdkClientException"],
    "applicationautoscaling": [
        "ApplicationAutoScaling.ConcurrentUpdateException",
        "ApplicationAutoScaling.InternalServiceException",
        "ApplicationAutoScaling.SdkClientException",
    ],
}
# A job that exceeds an account's quota for its instance type is refused, not queued.
QUOTA = "SageMaker.ResourceLimitExceededException"
QUOTA_RETRIES = 60  # a minute apart: as long as a job of another run may keep the instance
# What our own handlers let through when AWS is briefly unwell; all of them may be called twice.
UNWELL = ["ServiceError", "Unreachable", "TimedOut", "ClientError", "EndpointConnectionError", "ReadTimeoutError"]

# Why a flow failed, in words. A function and a SageMaker job give the reason within a JSON text; a stopped job gives
# none.
REASON = """(
    $found := $substring($error.Cause, 0, 1) = '{' ? $parse($error.Cause) : {};
    $job := $exists($found.ProcessingJobName) ? $found.ProcessingJobName : $found.TrainingJobName;
    $ended := $exists($found.ProcessingJobStatus) ? $found.ProcessingJobStatus : $found.TrainingJobStatus;
    $words := $exists($found.errorMessage) ? $found.errorMessage
      : $exists($found.FailureReason) ? $found.FailureReason
      : $exists($job) ? 'the job ' & $job & ' ended as ' & $ended;
    $substring($error.Error & ': ' & ($exists($words) ? $words : $error.Cause), 0, 2000)
  )"""


def jsonata(expression: str) -> str:
    return "{% " + expression + " %}"


def call(
    integration: str,
    arguments: Any,
    *,
    timeout_s: int = 60,
    retry: tuple[dict[str, Any], ...] = (),
    catch: tuple[dict[str, Any], ...] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a task that calls a service natively, e.g. `sagemaker:createModel` or `aws-sdk:sagemaker:deleteModel`."""
    service = integration.removeprefix("aws-sdk:").split(":")[0]
    catch = (caught("RecordFailure"),) if catch is None else catch
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{integration}",
        "Arguments": arguments,
        "TimeoutSeconds": timeout_s,
        "Retry": [*retry, again(TRANSIENT[service], seconds=2, times=4)],
        **({"Catch": list(catch)} if catch else {}),
        **fields,
    }


def invoke(
    function: Function, payload: Any, *, retry: tuple[dict[str, Any], ...] = (), **fields: Any
) -> dict[str, Any]:
    """Return a task that calls one of our functions; its result is in `$states.result.Payload`."""
    return call(
        "lambda:invoke",
        {"FunctionName": function.function_arn, "Payload": payload},
        timeout_s=function.timeout_s + 10,
        retry=(*retry, again(UNWELL, seconds=2, times=3)),
        **fields,
    )


def again(errors: list[str], *, seconds: int, times: int) -> dict[str, Any]:
    """Retry these errors, with pauses that double and a random part, so that retries do not come together."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": seconds,
        "MaxAttempts": times,
        "BackoffRate": 2,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    }


def until_there_is_quota() -> dict[str, Any]:
    """Retry a job that exceeds a quota once a minute for an hour."""
    return {
        "ErrorEquals": [QUOTA],
        "IntervalSeconds": 60,
        "MaxAttempts": QUOTA_RETRIES,
        "BackoffRate": 1,
        "JitterStrategy": "FULL",
    }


def caught(next: str, *errors: str) -> dict[str, Any]:
    """Catch these errors, by default all, and continue at `next`, which finds them in $error: {Error, Cause}."""
    return {
        "ErrorEquals": list(errors) or ["States.ALL"],
        "Assign": {"error": jsonata("$states.errorOutput")},
        "Next": next,
    }


def choice(*ways: tuple[str, str], otherwise: str, **fields: Any) -> dict[str, Any]:
    """Continue at the first way, (condition in JSONata, next state), whose condition is true."""
    choices = [{"Condition": jsonata(condition), "Next": next} for condition, next in ways]
    return {"Type": "Choice", "Choices": choices, "Default": otherwise, **fields}


def begin(kind: str, *, next: str) -> dict[str, Any]:
    """Name the run, unless the caller did: train-20130401-20261122T074500Z has its as_of and its start."""
    as_of, started = "$compact($states.input.as_of)", "$compact($states.context.Execution.StartTime)"
    name = f"'{kind}-' & $substring({as_of}, 0, 8) & '-' & $substring({started}, 0, 15) & 'Z'"
    compact = "$compact := function($moment) { $replace($replace($moment, '-', ''), ':', '') };"
    return {
        "Type": "Pass",
        "Output": jsonata(f"({compact} $merge([{{'run': {name}}}, $states.input]))"),
        "Assign": {"run": jsonata(f"({compact} $exists($states.input.run) ? $states.input.run : {name})")},
        "Next": next,
    }


def record_run(table: dynamodb.ITable, kind: str, values: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a task that writes these values, JSONata or text, into the run's record (keys: domain/records.py)."""
    values = {**values, "finished_at": jsonata("$states.context.State.EnteredTime")}
    return call(
        "dynamodb:updateItem",
        {
            "TableName": table.table_name,
            "Key": {"kind": {"S": kind}, "run": {"S": jsonata("$run")}},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()},
        },
        **fields,
    )


def record_failure(table: dynamodb.ITable, kind: str) -> dict[str, Any]:
    """Record the failure of a run.

    If its cause cannot be read, continue at `RecordError`, which records the error alone.
    """
    unread = ({"ErrorEquals": ["States.ALL"], "Next": "RecordError"},)
    return record_run(table, kind, {"status": "FAILED", "reason": jsonata(REASON)}, catch=unread, Next="Failed")


def record_error(table: dynamodb.ITable, kind: str) -> dict[str, Any]:
    """Record only the error's name, so that the run does not stay RUNNING; the flow ends with the error in any case."""
    ends = ({"ErrorEquals": ["States.ALL"], "Next": "Failed"},)
    return record_run(table, kind, {"status": "FAILED", "reason": jsonata("$error.Error")}, catch=ends, Next="Failed")


def fail() -> dict[str, Any]:
    """End a failed flow with the error that was caught."""
    return {"Type": "Fail", "Error": jsonata("$error.Error"), "Cause": jsonata("$error.Cause")}


class Flow(sfn.StateMachine):
    """A state machine named by its construct id: `Train` is {prefix}-train. Every event is logged."""

    def __init__(self, scope: Construct, id: str, *, config: Config, states: dict[str, Any], timeout_s: int) -> None:
        name = f"{config.prefix}-{id.lower()}"
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": next(iter(states)),
            "States": states,
            "TimeoutSeconds": timeout_s,
        }
        self.config = config
        super().__init__(
            scope,
            id,
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_string(Stack.of(scope).to_json_string(definition)),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                level=sfn.LogLevel.ALL,
                include_execution_data=True,
                destination=logs.LogGroup(
                    scope,
                    f"{id}Logs",
                    log_group_name=f"/aws/vendedlogs/states/{name}",  # this prefix keeps the log policy short enough
                    retention=log_days(config),
                    removal_policy=RemovalPolicy.DESTROY,
                ),
            ),
        )
        accept(
            self.role,
            "AwsSolutions-IAM5[Resource::*]",
            "Log delivery and X-Ray have no resources that a policy could name",
        )

    def allow(self, *actions: str, on: str | list[str] | Many, **conditions: Any) -> None:
        """Let the flow do exactly these actions on exactly these resources."""
        allow(self.role, *actions, on=on, **conditions)

    def allow_invoke(self, *functions: Function) -> None:
        self.allow("lambda:InvokeFunction", on=[function.function_arn for function in functions])

    def allow_pass(self, role: iam.IRole) -> None:
        """Allow the flow to pass this role to SageMaker, and to no other service."""
        to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        self.allow("iam:PassRole", on=role.role_arn, conditions=to_sagemaker)
