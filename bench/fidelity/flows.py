"""The rest of the behaviours: state machines, events, alarms, keys, the HTTP API and what is only kept."""

import json
import time
import urllib.request

from bench.fidelity.behaviours import Behaviour, training_job
from bench.fidelity.clients import ACCOUNT, Aws, is_refused, until

ENDS = {"End": True}


def task(resource: str, arguments: dict, **fields) -> dict:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, **ENDS, **fields}


def _speaks_jsonata(aws: Aws) -> bool:
    way = {"Condition": "{% $n = 3 %}", "Next": "Tens"}
    states = {
        "Add": {"Type": "Pass", "Assign": {"n": "{% $states.input.n + 1 %}"}, "Next": "Which"},
        "Which": {"Type": "Choice", "Choices": [way], "Default": "Lost"},
        "Tens": {"Type": "Pass", "Output": {"r": "{% $n * 10 %}"}, **ENDS},
        "Lost": {"Type": "Fail"},
    }
    return aws.run(states, {"n": 2}) == ("SUCCEEDED", {"r": 30})


def _invokes(aws: Aws) -> bool:
    arguments = {"FunctionName": aws.name("function"), "Payload": {"value": 4}}
    call = task("lambda:invoke", arguments, Output="{% $states.result.Payload %}")
    return aws.run({"Call": call}) == ("SUCCEEDED", {"twice": 8})


def _trains_in_a_flow(aws: Aws) -> bool:
    status = "{% $states.result.TrainingJobStatus %}"
    train = task("sagemaker:createTrainingJob.sync", training_job(aws, "flow"), Output=status)
    return aws.run({"Train": train}) == ("SUCCEEDED", "Completed")


def _calls_the_sdk(aws: Aws) -> bool:
    status = "{% $states.result.EndpointStatus %}"
    look = task("aws-sdk:sagemaker:describeEndpoint", {"EndpointName": aws.name("serve")}, Output=status)
    return aws.run({"Look": look}) == ("SUCCEEDED", "InService")


def _maps_at_large(aws: Aws) -> bool:
    bucket = aws.name("ledger")
    aws.client("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps([1, 2, 3, 4, 5]))
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Arguments": {"Bucket": bucket, "Key": "items.json"},
    }
    add = {"Type": "Pass", "Output": "{% $sum($states.input.Items) %}", **ENDS}
    distributed = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    mapped = {
        "Type": "Map",
        "ItemReader": reader,
        "ItemBatcher": {"MaxItemsPerBatch": 2},
        "ItemProcessor": {"ProcessorConfig": distributed, "StartAt": "Add", "States": {"Add": add}},
        "Output": "{% $sum($states.result) %}",
        **ENDS,
    }
    return aws.run({"Map": mapped}) == ("SUCCEEDED", 15)


def _catches_by_name(aws: Aws) -> bool:
    table = aws.name("table")
    aws.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    aws.client("dynamodb").put_item(TableName=table, Item={"k": {"S": "a"}})
    arguments = {"TableName": table, "Item": {"k": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(k)"}
    caught = [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "Next": "Caught"}]
    states = {"Put": task("dynamodb:putItem", arguments, Catch=caught), "Caught": {"Type": "Pass", "Output": 1, **ENDS}}
    return aws.run(states) == ("SUCCEEDED", 1)


def _limits_items(aws: Aws) -> bool:
    items, table = aws.client("dynamodb"), aws.name("table")
    large = {"k": {"S": "b"}, "x": {"S": "x" * 410_000}}
    many = [{"Put": {"TableName": table, "Item": {"k": {"S": str(number)}}}} for number in range(101)]
    return is_refused(lambda: items.put_item(TableName=table, Item=large)) and is_refused(
        lambda: items.transact_write_items(TransactItems=many)
    )


def _fires_a_schedule(aws: Aws) -> bool:
    url, arn = aws.queue("scheduled")
    aws.client("scheduler").create_schedule(
        Name=aws.name("schedule"),
        ScheduleExpression=time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 3)),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": aws.role("scheduler"), "Input": "{}"},
    )
    return bool(aws.received(url))


def topic(aws: Aws, word: str) -> tuple[str, str]:
    """(a topic's ARN, the address of a queue that it tells)."""
    url, queue = aws.queue(word)
    arn = aws.client("sns").create_topic(Name=aws.name(word))["TopicArn"]
    aws.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return arn, url


def _passes_events_on(aws: Aws) -> bool:
    arn, url = topic(aws, "passed")
    events, rule = aws.client("events"), aws.name("passed")
    events.put_rule(Name=rule, EventPattern='{"source": ["own"], "detail": {"n": [{"prefix": "ab"}]}}')
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "own", "DetailType": "d", "Detail": '{"n": "abc"}'}])
    return bool(aws.received(url))


def alarms(aws: Aws) -> bool:
    arn, url = topic(aws, "alarm")
    stat = {"Metric": {"Namespace": "Own", "MetricName": "x"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "FILL(m, 0) * 2"}]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=aws.name("alarm"),
        Metrics=queries,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[arn],
    )
    aws.client("cloudwatch").put_metric_data(Namespace="Own", MetricData=[{"MetricName": "x", "Value": 3}])
    return bool(aws.received(url))


def signs(aws: Aws) -> bool:
    keys, how = aws.client("kms"), {"SigningAlgorithm": "ECDSA_SHA_256"}
    key = keys.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signature = keys.sign(KeyId=key, Message=b"a", **how)["Signature"]
    valid = keys.verify(KeyId=key, Message=b"a", Signature=signature, **how)["SignatureValid"]
    return valid and is_refused(lambda: keys.verify(KeyId=key, Message=b"b", Signature=signature, **how))


def _answers_over_http(aws: Aws) -> bool:
    apis, function = aws.client("apigatewayv2"), f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{aws.name('function')}"
    api = apis.create_api(Name=aws.name("api"), ProtocolType="HTTP")
    integration = apis.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    apis.create_route(ApiId=api["ApiId"], RouteKey="POST /x", Target=f"integrations/{integration}")
    apis.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    allowed = {"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    aws.client("lambda").add_permission(FunctionName=aws.name("function"), **allowed)
    asked = urllib.request.Request(f"{api['ApiEndpoint']}/x", data=b"{}", method="POST")
    with urllib.request.urlopen(asked, timeout=20) as reply:
        return json.load(reply) == {"twice": 0}


def _keeps_parameters(aws: Aws) -> bool:
    parameters, name = aws.client("ssm"), f"/ledger/{aws.mark}"
    parameters.put_parameter(Name=name, Value="x", Type="String")
    return parameters.get_parameter(Name=name)["Parameter"]["Value"] == "x"


def _records_scaling(aws: Aws) -> bool:
    variant = f"endpoint/{aws.name('serve')}/variant/all"
    named = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**named, ResourceId=variant, MinCapacity=1, MaxCapacity=2)
    return len(scaling.describe_scalable_targets(**named, ResourceIds=[variant])["ScalableTargets"]) == 1


def _keeps_budgets(aws: Aws) -> bool:
    limit = {"Amount": "5", "Unit": "USD"}
    budget = {"BudgetName": aws.name("budget"), "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    aws.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget)
    stored = aws.client("budgets").describe_budget(AccountId=ACCOUNT, BudgetName=budget["BudgetName"])["Budget"]
    return bool(until(lambda: stored["BudgetLimit"] == limit or float(stored["BudgetLimit"]["Amount"]) == 5))


FLOWS = [
    Behaviour("release", "JSONata: Output, Assign, Choice", _speaks_jsonata),
    Behaviour("release", "lambda:invoke from a flow", _invokes),
    Behaviour("train", "sagemaker:createTrainingJob.sync waits for its job", _trains_in_a_flow),
    Behaviour("release", "aws-sdk:sagemaker:describeEndpoint", _calls_the_sdk),
    Behaviour("batch", "a distributed Map reads S3 and hands over batches", _maps_at_large),
    Behaviour("release", "dynamodb:putItem under a condition, caught by its name", _catches_by_name),
    Behaviour("request", "DynamoDB's limits: 400 KB an item, 100 a transaction", _limits_items),
    Behaviour("train", "a schedule fires", _fires_a_schedule),
    Behaviour("watch", "a rule passes an event on to SNS and SQS", _passes_events_on),
    Behaviour("watch", "an alarm on metric math goes off by itself and tells SNS", alarms),
    Behaviour("release", "KMS signs and verifies", signs),
    Behaviour("request", "an HTTP API answers over HTTP from its function", _answers_over_http),
    Behaviour("all", "a parameter is kept", _keeps_parameters),
    Behaviour("request", "a scalable target is recorded", _records_scaling),
    Behaviour("money", "a budget is kept", _keeps_budgets),
]
