"""What the conditions of a policy allow: keys that requests fill, and keys that nothing here fills."""

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, allow, new_name, policy

ONLY_A = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["a*"]}}


def allow_if(action: str, on: str = "*", **condition) -> dict:
    return {**allow(action, on=on), "Condition": condition}


def is_allowed(call, **request) -> bool:
    try:
        call(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied"), error  # noqa: PT017 - either outcome is right; a refusal is looked at
        return False
    return True


def text(value: str) -> dict:
    return {"id": {"S": value}}


@pytest.fixture(scope="module")
def owned(aws):
    """(a client that may do anything to the items whose key begins with a, the table)."""
    name = new_name("table")
    aws.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "group", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "groups",
                "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    key = aws.user(allow_if("dynamodb:*", on=arn, **ONLY_A), allow_if("dynamodb:Query", on=f"{arn}/index/*", **ONLY_A))
    return aws.client("dynamodb", key), name


REQUESTS = {
    "get_item": lambda table, key: {"TableName": table, "Key": text(key)},
    "put_item": lambda table, key: {"TableName": table, "Item": text(key)},
    "update_item": lambda table, key: {"TableName": table, "Key": text(key)},
    "delete_item": lambda table, key: {"TableName": table, "Key": text(key)},
    "query": lambda table, key: {
        "TableName": table,
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": "id"},
        "ExpressionAttributeValues": {":k": {"S": key}},
    },
    "batch_get_item": lambda table, key: {"RequestItems": {table: {"Keys": [text("a1"), text(key)]}}},
    "batch_write_item": lambda table, key: {
        "RequestItems": {table: [{"PutRequest": {"Item": text("a1")}}, {"DeleteRequest": {"Key": text(key)}}]}
    },
    "transact_get_items": lambda table, key: {
        "TransactItems": [{"Get": {"TableName": table, "Key": text(each)}} for each in ("a1", key)]
    },
    "transact_write_items": lambda table, key: {
        "TransactItems": [
            {"Put": {"TableName": table, "Item": text("a1")}},
            {"Delete": {"TableName": table, "Key": text(key)}},
        ]
    },
}


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_role_reaches_only_the_items_whose_partition_key_its_policy_names(owned, operation):
    client, table = owned
    call, request = getattr(client, operation), REQUESTS[operation]
    assert is_allowed(call, **request(table, "a2"))
    assert not is_allowed(call, **request(table, "b"))


def test_a_query_of_an_index_is_held_to_the_partition_key_of_the_index(owned):
    client, table = owned
    request = {"TableName": table, "IndexName": "groups", "KeyConditionExpression": "#g = :g"}
    request["ExpressionAttributeNames"] = {"#g": "group"}
    assert is_allowed(client.query, **request, ExpressionAttributeValues={":g": {"S": "a"}})
    assert not is_allowed(client.query, **request, ExpressionAttributeValues={":g": {"S": "b"}})


def test_a_scan_names_no_key_so_a_condition_for_all_values_lets_it_pass_as_on_aws(owned):
    client, table = owned
    assert is_allowed(client.scan, TableName=table)


def test_a_task_of_a_state_machine_is_held_to_the_keys_that_its_role_names(aws, table):
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Arguments": {"TableName": table, "Item": {"id": {"S": "{% $states.input.id %}"}}},
        "End": True,
    }
    machine = aws.machine({"Put": put}, allow_if("dynamodb:PutItem", **ONLY_A))
    assert aws.run(machine, {"id": "a1"})["status"] == "SUCCEEDED"
    assert aws.run(machine, {"id": "b"})["error"] == "DynamoDB.AmazonDynamoDBException"


def test_metrics_are_held_to_the_namespace_that_a_policy_names(aws):
    condition = {"StringLike": {"cloudwatch:namespace": "/own/*"}}
    metrics = aws.client("cloudwatch", aws.user(allow_if("cloudwatch:PutMetricData", **condition)))
    data = [{"MetricName": "m", "Value": 1}]
    assert is_allowed(metrics.put_metric_data, Namespace="/own/x", MetricData=data)
    assert not is_allowed(metrics.put_metric_data, Namespace="Other", MetricData=data)


@pytest.mark.parametrize(("instance", "allowed"), [("ml.m5.large", True), ("ml.m5.xlarge", False)])
def test_an_endpoint_configuration_is_held_to_the_instance_types_that_a_policy_names(aws, instance, allowed):
    condition = {"ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["ml.m5.large"]}}
    client = aws.client("sagemaker", aws.user(allow_if("sagemaker:CreateEndpointConfig", **condition)))
    variant = {"VariantName": "v", "ModelName": "nothing", "InstanceType": instance, "InitialInstanceCount": 1}
    with pytest.raises(ClientError) as refused:
        client.create_endpoint_config(EndpointConfigName=new_name("config"), ProductionVariants=[variant])
    code = refused.value.response["Error"]["Code"]
    assert code == ("ValidationException" if allowed else "AccessDeniedException")  # there is no such model


def test_tags_that_a_policy_names_are_the_only_ones_that_may_be_given(aws):
    condition = {"StringEquals": {"aws:RequestTag/team": "x"}}
    actions = ("sagemaker:CreateModelPackageGroup", "sagemaker:AddTags")
    client = aws.client("sagemaker", aws.user({**allow(*actions), "Condition": condition}))

    def tagged(team: str) -> dict:
        return {"ModelPackageGroupName": new_name("group"), "Tags": [{"Key": "team", "Value": team}]}

    assert is_allowed(client.create_model_package_group, **tagged("x"))
    assert not is_allowed(client.create_model_package_group, **tagged("y"))
    assert not is_allowed(client.create_model_package_group, ModelPackageGroupName=new_name("group"))


UNFILLED = policy(allow_if("lambda:*", StringEquals={"lambda:FunctionArn": "x"}))
UNKNOWN_OPERATOR = policy(allow_if("s3:*", StringEqual={"s3:prefix": "x"}))


@pytest.mark.parametrize(
    ("document", "why"), [(UNFILLED, "condition key lambda:FunctionArn"), (UNKNOWN_OPERATOR, "operator StringEqual")]
)
def test_a_condition_that_would_never_be_tested_is_refused_with_its_name(aws, document, why):
    iam, role = aws.client("iam"), aws.role("lambda").rpartition("/")[2]
    for put in (
        lambda: iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document),
        lambda: iam.create_policy(PolicyName=new_name("policy"), PolicyDocument=document),
    ):
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException, match=why):
            put()


def schedule(role: str) -> dict:
    target = {"Arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x", "RoleArn": role}
    return {
        "Name": new_name("schedule"),
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }


@pytest.mark.parametrize(("passed_to", "allowed"), [(None, False), ("lambda", False), ("scheduler", True)])
def test_a_schedule_is_made_only_by_those_who_may_pass_its_role_to_the_scheduler(aws, passed_to, allowed):
    condition = {"StringEquals": {"iam:PassedToService": f"{passed_to}.amazonaws.com"}}
    statements = [allow("scheduler:CreateSchedule")] + ([allow_if("iam:PassRole", **condition)] if passed_to else [])
    client = aws.client("scheduler", aws.user(*statements))
    assert is_allowed(client.create_schedule, **schedule(aws.role("scheduler"))) is allowed


def test_a_function_is_made_only_by_those_who_may_pass_its_role(aws):
    client = aws.client("lambda", aws.user(allow("lambda:CreateFunction")))
    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole on resource: arn:aws:iam::"):
        client.create_function(
            FunctionName=new_name("function"),
            Runtime="python3.13",
            Handler="app.handler",
            Role=aws.role("lambda"),
            Code={"ZipFile": b"nothing"},
        )
