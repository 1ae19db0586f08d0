"""A template that AWS would refuse is refused: when it is handed in, or by the resource that is wrong."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, new_name

TOPIC = {"Type": "AWS::SNS::Topic"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
FUNCTION = {
    "Runtime": "python3.13",
    "Handler": "index.handler",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
    "Code": {"ZipFile": "def handler(event, context): return 1"},
}
ALARM = {
    "MetricName": "m",
    "Namespace": "N",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}
BUDGET = {"BudgetType": "COST", "TimeUnit": "MONTHLY"}


def without(properties: dict, name: str) -> dict:
    return {key: value for key, value in properties.items() if key != name}


WRONG = [
    ("AWS::Lambda::Function", {**FUNCTION, "Foo": 1}, "extraneous key [Foo] is not permitted"),
    ("AWS::Lambda::Function", without(FUNCTION, "Code"), "required key [Code] not found"),
    ("AWS::Lambda::Function", {**FUNCTION, "Timeout": "abc"}, "#/Timeout: expected type: integer"),
    ("AWS::Lambda::Function", {**FUNCTION, "Timeout": 901}, "less than or equal to 900"),
    ("AWS::Lambda::Function", {**FUNCTION, "MemorySize": 100}, "#/MemorySize: failed validation constraint"),
    ("AWS::Lambda::Function", {**FUNCTION, "Runtime": "python9"}, "python9 is not a valid enum value"),
    ("AWS::Lambda::Function", {**FUNCTION, "Role": "foo"}, "#/Role: string [foo] does not match pattern"),
    (
        "AWS::Lambda::Function",
        {**FUNCTION, "Environment": {"Variables": {"AWS_REGION": "x"}}},
        "they are reserved: AWS_REGION",
    ),
    ("AWS::Lambda::Function", {**FUNCTION, "Arn": "arn"}, "extraneous key [Arn] is not permitted"),
    ("AWS::SQS::Queue", {"MessageRetentionPeriod": 59}, "#/MessageRetentionPeriod: failed validation constraint"),
    ("AWS::CloudWatch::Alarm", {**ALARM, "Period": 45}, "Invalid period 45"),
    ("AWS::CloudWatch::Alarm", without(ALARM, "ComparisonOperator"), "ComparisonOperator must be set"),
    ("AWS::SSM::Parameter", {"Type": "String", "Value": "x" * 4097}, "maximum parameter value of 4096"),
    ("AWS::Budgets::Budget", {"Budget": {**BUDGET, "BudgetType": "FOO"}}, "Unknown budget type: FOO"),
    ("AWS::Budgets::Budget", {"Budget": {**BUDGET, "BudgetLimit": {"Amount": -5, "Unit": "USD"}}}, "greater than 0"),
    ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 days)"}, "ScheduleExpression is not valid"),
    (
        "AWS::StepFunctions::StateMachine",
        {"RoleArn": FUNCTION["Role"], "DefinitionString": '{"StartAt": "Z", "States": {"A": {"Type": "Foo"}}}'},
        "Invalid state type: Foo at /States/A/Type",
    ),
    ("AWS::ApiGatewayV2::Route", {"ApiId": "a", "RouteKey": "FOO bar"}, "route key is not formatted properly"),
]


@pytest.mark.parametrize(("kind", "properties", "why"), WRONG)
def test_a_resource_with_wrong_properties_fails_its_stack_with_the_reason(aws, kind, properties, why):
    assert why in aws.failed_stack({"Wrong": {"Type": kind, "Properties": properties}})


def test_numbers_and_booleans_may_be_text_as_in_every_template(aws):
    queue = {"DelaySeconds": "5", "FifoQueue": "true", "QueueName": f"{new_name('q')}.fifo"}
    alarm = {**ALARM, "AlarmName": new_name("alarm"), "Period": "60", "Threshold": "1.5", "ActionsEnabled": "false"}
    deploy(
        aws,
        {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": queue},
            "A": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        },
    )
    url = aws.client("sqs").get_queue_url(QueueName=queue["QueueName"])["QueueUrl"]
    made = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (made["DelaySeconds"], made["FifoQueue"]) == ("5", "true")
    (named,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    assert (named["Period"], named["Threshold"], named["ActionsEnabled"]) == (60, 1.5, False)


def deploy(aws, resources: dict, **sections) -> str:
    stack, formation = new_name("stack"), aws.client("cloudformation")
    formation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources, **sections}))
    formation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return stack


@pytest.mark.parametrize(
    "named",
    [
        {"Ref": "Nope"},
        {"Fn::GetAtt": ["Nope", "Arn"]},
        {"Fn::GetAtt": "Nope.Arn"},
        {"Fn::Sub": "${Nope}-${!literal}-${AWS::Region}"},
        {"Fn::Sub": ["${Own}${Nope.Arn}", {"Own": "x"}]},
        {"Fn::Join": ["", ["a", {"Ref": "Nope"}]]},
    ],
)
def test_a_reference_to_nothing_is_refused_before_anything_is_made(aws, named):
    topic = {**TOPIC, "Properties": {"TopicName": named}}
    body = json.dumps({"Resources": {"Topic": topic}})
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[Nope\] in the Resources block"):
        aws.client("cloudformation").create_stack(StackName=new_name("stack"), TemplateBody=body)


def test_a_change_set_and_an_output_are_held_to_it_too(aws):
    body = json.dumps({"Resources": {"Topic": TOPIC}, "Outputs": {"O": {"Value": {"Ref": "Nope"}}}})
    with pytest.raises(ClientError, match=r"\[Nope\] in the Outputs block"):
        aws.client("cloudformation").create_change_set(
            StackName=new_name("stack"), ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body
        )


def test_iam_resources_need_their_capability(aws):
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    with pytest.raises(aws.client("cloudformation").exceptions.InsufficientCapabilitiesException):
        aws.client("cloudformation").create_stack(
            StackName=new_name("stack"), TemplateBody=json.dumps({"Resources": {"Role": role}})
        )


def test_a_name_that_is_taken_is_not_taken_over(aws):
    name = new_name("queue")
    aws.client("sqs").create_queue(QueueName=name)
    reason = aws.failed_stack({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}})
    assert f"identifier '{name}' already exists" in reason
    aws.client("sqs").get_queue_url(QueueName=name)  # it is as it was


def export(name: str, value: str) -> dict:
    return {"O": {"Value": value, "Export": {"Name": name}}}


def test_an_export_stands_once_and_stays_while_it_is_imported(aws):
    name, formation = new_name("export"), aws.client("cloudformation")
    exporter = deploy(aws, {"T": TOPIC}, Outputs=export(name, "x"))
    assert f"Export with name {name} is already exported by stack {exporter}" in aws.failed_stack(
        {"T": TOPIC}, Outputs=export(name, "x")
    )
    imported = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::ImportValue": name}}}
    importer = deploy(aws, {"P": imported})
    for outputs, verb in ((export(name, "y"), "updated"), ({}, "deleted")):
        body = json.dumps(
            {"Resources": {"T": TOPIC, **({"U": TOPIC} if outputs else {"V": TOPIC})}, "Outputs": outputs}
        )
        formation.update_stack(StackName=exporter, TemplateBody=body)
        with pytest.raises(Exception, match="UPDATE_ROLLBACK_COMPLETE"):
            formation.get_waiter("stack_update_complete").wait(StackName=exporter, WaiterConfig={"Delay": 1})
        reasons = [
            event.get("ResourceStatusReason", "")
            for event in formation.describe_stack_events(StackName=exporter)["StackEvents"]
        ]
        assert any(f"Export {name} cannot be {verb} as it is in use by {importer}" in reason for reason in reasons)
    formation.delete_stack(StackName=importer)
    formation.get_waiter("stack_delete_complete").wait(StackName=importer, WaiterConfig={"Delay": 1})
    formation.update_stack(StackName=exporter, TemplateBody=json.dumps({"Resources": {"T": TOPIC, "W": TOPIC}}))
    formation.get_waiter("stack_update_complete").wait(StackName=exporter, WaiterConfig={"Delay": 1})
    assert name not in [each["Name"] for each in formation.list_exports()["Exports"]]


def test_an_update_with_wrong_properties_is_rolled_back(aws):
    formation = aws.client("cloudformation")
    stack = deploy(aws, {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}})
    wrong = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 901}}}
    formation.update_stack(StackName=stack, TemplateBody=json.dumps({"Resources": wrong}))
    with pytest.raises(Exception, match="UPDATE_ROLLBACK_COMPLETE"):
        formation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in formation.describe_stack_events(StackName=stack)["StackEvents"]
    ]
    assert any("#/DelaySeconds: failed validation constraint for keyword [maximum]" in reason for reason in reasons)
