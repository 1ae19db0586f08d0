"""What botocore writes is read back as it was given, in every protocol; and every constraint of a model is found."""

import boto3
import pytest
from botocore.config import Config

from local.requests import check, models

TRUST = '{"Version": "2012-10-17"}'
REQUESTS = [
    ("states", "start_execution", {"stateMachineArn": "arn", "name": "n", "input": '{"a": 1}'}),
    (
        "events",
        "put_targets",
        {"Rule": "r", "Targets": [{"Id": "1", "Arn": "arn", "RetryPolicy": {"MaximumRetryAttempts": 3}}]},
    ),
    ("monitoring", "put_metric_data", {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.5}]}),
    ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "a", "Value": "b"}]}),
    ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 3600}),
    ("sts", "assume_role", {"RoleArn": "arn", "RoleSessionName": "s", "TransitiveTagKeys": ["a", "b"]}),
    (
        "sns",
        "publish",
        {"TopicArn": "arn", "Message": "m", "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}},
    ),
    (
        "cloudformation",
        "create_stack",
        {"StackName": "s", "Parameters": [{"ParameterKey": "k", "UsePreviousValue": True}]},
    ),
    ("lambda", "get_function", {"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f", "Qualifier": "1"}),
    ("lambda", "create_alias", {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}),
    ("lambda", "list_functions", {"MaxItems": 5}),
    ("apigateway", "create_route", {"ApiId": "a", "RouteKey": "GET /x", "AuthorizationScopes": ["s"]}),
    ("scheduler", "list_schedules", {"GroupName": "g", "MaxResults": 5}),
    (
        "scheduler",
        "create_schedule",
        {
            "Name": "s",
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn", "RoleArn": "arn:aws:iam::000000000000:role/r"},
        },
    ),
]


class Sent(Exception):
    """Keeps a request from being sent."""


def sent(service: str, operation: str, parameters: dict):
    """The HTTP request that botocore would send."""
    name = {"states": "stepfunctions", "monitoring": "cloudwatch", "apigateway": "apigatewayv2"}.get(service, service)
    client = boto3.client(
        name,
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    kept = []

    def keep(request, **_):
        kept.append(request)
        raise Sent()

    client.meta.events.register("before-send", keep)
    with pytest.raises(Sent):
        getattr(client, operation)(**parameters)
    return kept[0]


def parameters_of(service: str, request) -> tuple[str, dict]:
    """(the operation, its parameters) as the local AWS reads them."""
    path, _, query = request.url.removeprefix("http://127.0.0.1:1").partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    headers = {
        name.lower(): value if isinstance(value, str) else value.decode() for name, value in request.headers.items()
    }
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    operation, found = models.read(
        service, request.method, path, headers, body, {name: [value] for name, value in pairs}
    )
    return operation.name, {name: value for name, value in found.items() if name != "ClientToken"}


@pytest.mark.parametrize(("service", "operation", "parameters"), REQUESTS)
def test_a_request_is_read_back_as_it_was_given(service, operation, parameters):
    name, found = parameters_of(service, sent(service, operation, parameters))
    assert name.lower() == operation.replace("_", "")
    if service == "apigateway":  # whose names in JSON begin in lower case
        found = {key[0].upper() + key[1:]: value for key, value in found.items()}
    assert found == parameters


@pytest.mark.parametrize("body", [b"{", b"[]", b"not json"])
def test_a_body_that_is_not_an_object_is_unreadable(body):
    with pytest.raises(models.Unreadable):
        models.read("states", "POST", "/", {"x-amz-target": "AWSStepFunctions.ListStateMachines"}, body, {})


def test_what_a_model_does_not_have_is_left_to_the_service():
    assert models.read("states", "POST", "/", {"x-amz-target": "AWSStepFunctions.Nothing"}, b"{}", {}) is None
    assert models.read("lambda", "GET", "/nothing/like/this", {}, b"", {}) is None
    assert models.read("iam", "POST", "/", {}, b"Action=Nothing", {}) is None


SCHEDULE = REQUESTS[-1][2]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "problem"),
    [
        ("iam", "CreateRole", {"RoleName": "r"}, "Value null at 'assumeRolePolicyDocument'"),
        ("iam", "CreateRole", {"RoleName": "a" * 65, "AssumeRolePolicyDocument": TRUST}, "less than or equal to 64"),
        ("iam", "CreateRole", {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}, "regular expression pattern"),
        ("logs", "PutRetentionPolicy", {"logGroupName": "a" * 513, "retentionInDays": 1}, "less than or equal to 512"),
        ("scheduler", "CreateSchedule", {**SCHEDULE, "State": "ON"}, "enum value set: [ENABLED, DISABLED]"),
        (
            "scheduler",
            "CreateSchedule",
            {**SCHEDULE, "Target": {**SCHEDULE["Target"], "RetryPolicy": {"MaximumRetryAttempts": 186}}},
            "'target.retryPolicy.maximumRetryAttempts' failed to satisfy constraint: Member must have value less than",
        ),
        ("events", "PutTargets", {"Rule": "r", "Targets": []}, "Value '[]' at 'targets'"),
        ("events", "PutTargets", {"Rule": "r", "Targets": "x"}, "Member must be a list"),
        ("events", "PutTargets", {"Rule": 1, "Targets": [{"Id": "1", "Arn": "a"}]}, "Member must be a string"),
    ],
)
def test_a_breach_of_a_model_is_found_with_its_place(service, operation, parameters, problem):
    (found,) = check.problems(parameters, models.model(service).operation_model(operation).input_shape)
    assert problem in found
