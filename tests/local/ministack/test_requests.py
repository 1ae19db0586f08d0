"""What each service answers to a request that breaks its own model: refused, in the service's own code and protocol."""

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, new_name

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x"
TARGET = {"Id": "1", "Arn": MACHINE}
ALARM = {"AlarmName": "a", "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
METRIC = {"MetricName": "m", "Namespace": "N", "Statistic": "Sum"}
FUNCTION = {
    "FunctionName": "f",
    "Runtime": "python3.13",
    "Handler": "m.h",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
    "Code": {"ZipFile": b"x"},
}


def unchecked(aws, service: str):
    """A client that sends what it is given, so that it is the service that must refuse it."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=aws.root[0],
        aws_secret_access_key=aws.root[1],
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


WRONG = [
    ("iam", "create_role", {"RoleName": "a" * 65, "AssumeRolePolicyDocument": "{}"}, "ValidationError"),
    ("sts", "assume_role", {"RoleArn": "short", "RoleSessionName": "s"}, "ValidationError"),
    ("cloudformation", "delete_stack", {}, "ValidationError"),
    ("sns", "publish", {"TopicArn": "arn", "Message": "m", "Subject": "two\nlines"}, "InvalidParameter"),
    ("sns", "create_topic", {"Name": "a b"}, "InvalidParameter"),
    ("sqs", "create_queue", {"QueueName": "a" * 81}, "InvalidParameterValue"),
    ("kms", "sign", {"KeyId": "k", "Message": b"x" * 4097, "SigningAlgorithm": "ECDSA_SHA_256"}, "ValidationException"),
    ("lambda", "create_function", {**FUNCTION, "Runtime": "python3.7"}, "InvalidParameterValueException"),
    ("lambda", "invoke", {"FunctionName": "f", "Payload": b"not json"}, "InvalidRequestContentException"),
    (
        "apigatewayv2",
        "create_route",
        {"ApiId": "a", "RouteKey": "GET /x", "AuthorizationType": "JWT"},
        "BadRequestException",
    ),
    ("states", "list_executions", {"maxResults": 1001}, "ValidationException"),
    ("events", "put_rule", {"Name": "a b", "ScheduleExpression": "rate(1 day)"}, "ValidationException"),
    ("events", "put_targets", {"Rule": "r", "Targets": [TARGET]}, "ValidationException"),
    ("events", "put_targets", {"Rule": "r", "Targets": [{**TARGET, "Id": "a" * 65}]}, "ValidationException"),
    (
        "logs",
        "put_log_events",
        {"logGroupName": "g", "logStreamName": "s", "logEvents": []},
        "InvalidParameterException",
    ),
    ("kms", "schedule_key_deletion", {"KeyId": ""}, "ValidationException"),
    ("ssm", "put_parameter", {"Name": "/x", "Value": "x" * 4097, "Type": "String"}, "ValidationException"),
    ("ssm", "put_parameter", {"Name": "/x", "Value": "x", "Type": "Text"}, "ValidationException"),
    ("cloudwatch", "put_metric_alarm", {**ALARM, **METRIC, "Period": 45}, "ValidationError"),
    ("cloudwatch", "put_metric_data", {"Namespace": "AWS/x", "MetricData": []}, "ValidationError"),
    ("lambda", "create_function", {**FUNCTION, "Timeout": 901}, "InvalidParameterValueException"),
    ("lambda", "create_function", {**FUNCTION, "Runtime": "python9"}, "ValidationException"),
    ("apigatewayv2", "create_route", {"ApiId": "a", "RouteKey": "FOO bar"}, "BadRequestException"),
    ("scheduler", "create_schedule", {"Name": "a b"}, "ValidationException"),
    ("budgets", "create_budget", {"AccountId": ACCOUNT, "Budget": {}}, "InvalidParameterException"),
    ("ecr", "create_repository", {"repositoryName": "A"}, "InvalidParameterException"),
]


@pytest.mark.parametrize(("service", "operation", "request_", "code"), WRONG)
def test_a_request_that_breaks_its_model_is_refused_with_the_code_of_its_service(
    aws, service, operation, request_, code
):
    client = unchecked(aws, {"states": "stepfunctions"}.get(service, service))
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**request_)
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)
    assert answer["Error"]["Message"]


def test_what_is_right_is_taken_by_every_protocol(aws):
    assert aws.client("iam").list_roles(MaxItems=1)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert aws.client("lambda").list_functions(MaxItems=1)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert aws.client("stepfunctions").list_state_machines(maxResults=1)["ResponseMetadata"]["HTTPStatusCode"] == 200
    aws.client("cloudwatch").put_metric_alarm(**{**ALARM, **METRIC, "AlarmName": new_name("alarm"), "Period": 60})
    events, name = aws.client("events"), new_name("rule")
    events.put_rule(Name=name, EventPattern='{"source": ["own"]}')
    role = aws.role("events")
    assert events.put_targets(Rule=name, Targets=[{**TARGET, "RoleArn": role}])["FailedEntryCount"] == 0
    logs, group = aws.client("logs"), new_name("group")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": "m"}
    assert "rejectedLogEventsInfo" not in logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])


def test_a_rule_has_five_targets_and_is_not_deleted_with_them(aws):
    events, name, role = aws.client("events"), new_name("rule"), aws.role("events")
    events.put_rule(Name=name, EventPattern='{"source": ["own"]}')
    targets = [{**TARGET, "Id": str(number), "RoleArn": role} for number in range(6)]
    events.put_targets(Rule=name, Targets=targets[:5])
    with pytest.raises(events.exceptions.LimitExceededException):
        events.put_targets(Rule=name, Targets=targets[5:])
    with pytest.raises(ClientError, match="can't be deleted since it has targets"):
        events.delete_rule(Name=name)
    events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name)


def test_an_identity_policy_that_iam_would_not_take_is_malformed(aws):
    iam, role = aws.client("iam"), aws.role("lambda").rpartition("/")[2]
    for wrong in ({"Principal": "*"}, {"Action": "get"}, {"Resource": "bucket"}):
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **wrong}
        document = str({"Version": "2012-10-17", "Statement": [statement]}).replace("'", '"')
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
