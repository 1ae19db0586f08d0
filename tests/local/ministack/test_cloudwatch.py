"""Metrics and alarms as on AWS: embedded metrics, dimensions, periods, missing data, metric math and actions."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, allow, eventually, new_name

EMBEDDED = """
import json, time
def handler(event, context):
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [
        {"Namespace": "Own", "Dimensions": [["stage"]], "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}]}]},
        "stage": event["stage"], "Latency": event["values"], "other": 1}))
"""


def alarm(aws, **fields) -> str:
    name = new_name("alarm")
    aws.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "Own",
            "MetricName": name,
            "Statistic": "Sum",
            "Period": 10,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            **fields,
        }
    )
    return name


def state(aws, name: str) -> str:
    return aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def put(aws, name: str, value: float, seconds_ago: float = 0, **dimensions) -> None:
    aws.client("cloudwatch").put_metric_data(
        Namespace="Own",
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Timestamp": time.time() - seconds_ago,
                "Dimensions": [{"Name": key, "Value": of} for key, of in dimensions.items()],
            }
        ],
    )


def test_a_log_line_in_the_embedded_metric_format_becomes_a_metric(aws):
    function = aws.function(EMBEDDED)
    for stage in ("a", "b"):
        aws.invoke(function, {"stage": stage, "values": [10, 30] if stage == "a" else 500})
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Own",
        MetricName="Latency",
        Dimensions=[{"Name": "stage", "Value": "a"}],
        Period=60,
        StartTime=time.time() - 60,
        EndTime=time.time() + 60,
        Statistics=["Average", "SampleCount"],
    )["Datapoints"]
    assert [(point["Average"], point["SampleCount"], point["Unit"]) for point in found] == [(20, 2, "Milliseconds")]


def summed(aws, namespace: str, metric: str, **dimensions) -> float:
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Period=60,
        StartTime=time.time() - 120,
        EndTime=time.time() + 60,
        Dimensions=[{"Name": key, "Value": of} for key, of in dimensions.items()],
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in found)


def test_every_call_of_a_function_is_measured_whoever_calls_it(aws):
    function = aws.function("def handler(event, context): return 1 / event['by']")
    name = function.rpartition(":")[2]
    aws.invoke(function, {"by": 1})
    aws.invoke(function, {"by": 0})
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "End": True,
        "Arguments": {"FunctionName": function, "Payload": {"by": 0}},
    }
    machine = aws.machine({"Call": call}, allow("lambda:InvokeFunction", on=function))
    assert aws.run(machine)["status"] == "FAILED"
    assert [summed(aws, "AWS/Lambda", metric, FunctionName=name) for metric in ("Invocations", "Errors")] == [3, 2]
    assert summed(aws, "AWS/States", "ExecutionsFailed", StateMachineArn=machine) == 1


def test_a_queue_that_holds_messages_tells_how_many(aws):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="measured")["QueueUrl"]
    for _ in range(2):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert eventually(lambda: summed(aws, "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="measured")) >= 2


def test_an_alarm_looks_at_its_own_dimensions_only(aws):
    name = alarm(aws, Dimensions=[{"Name": "stage", "Value": "a"}])
    put(aws, name, 100, stage="b")
    assert state(aws, name) == "INSUFFICIENT_DATA"
    put(aws, name, 100, stage="a")
    assert state(aws, name) == "ALARM"


def test_an_alarm_wants_as_many_breaching_periods_as_it_says(aws):
    name = alarm(aws, EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    put(aws, name, 5)
    assert state(aws, name) == "OK"
    put(aws, name, 5, seconds_ago=15)
    assert state(aws, name) == "ALARM"


def test_a_graph_of_metric_math_has_a_value_for_each_period_with_data(aws):
    late, all_ = new_name("late"), new_name("all")
    put(aws, late, 3, seconds_ago=600)
    put(aws, all_, 20, seconds_ago=600)
    put(aws, all_, 40, seconds_ago=10)
    found = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "share", "Expression": "100 * FILL(late, 0) / all", "Label": "late, %"},
            {"Id": "late", "MetricStat": stat_of(late), "ReturnData": False},
            {"Id": "all", "MetricStat": stat_of(all_)},
            {"Id": "bare", "Expression": "late / all"},
        ],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
    )["MetricDataResults"]
    assert {one["Id"]: one["Values"] for one in found} == {"share": [15.0, 0.0], "all": [20.0, 40.0], "bare": [0.15]}
    assert found[0]["Label"] == "late, %"


def test_a_graph_that_cannot_be_evaluated_is_refused(aws):
    query = {"Id": "a", "Expression": "1 + missing"}
    with pytest.raises(ClientError, match="names missing, which is no id of the query's metrics"):
        aws.client("cloudwatch").get_metric_data(MetricDataQueries=[query], StartTime=0, EndTime=time.time())


def stat_of(name: str) -> dict:
    return {"Metric": {"Namespace": "Own", "MetricName": name}, "Period": 60, "Stat": "Sum"}


@pytest.mark.parametrize(
    ("treat", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("ignore", "INSUFFICIENT_DATA"), ("breaching", "ALARM"), ("notBreaching", "OK")],
)
def test_missing_data_counts_as_the_alarm_says(aws, treat, expected):
    assert state(aws, alarm(aws, TreatMissingData=treat)) == expected


def test_an_alarm_goes_back_to_ok_by_itself_when_its_metric_stops(aws):
    name = alarm(aws, Period=10, TreatMissingData="notBreaching")
    put(aws, name, 5)
    assert state(aws, name) == "ALARM"
    eventually(lambda: state(aws, name) == "OK")


def test_an_alarm_on_metric_math_divides_two_metrics(aws):
    name = new_name("ratio")

    def metric(of: str) -> dict:
        return {
            "Id": of,
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": f"{name}-{of}"}, "Period": 60, "Stat": "Sum"},
        }

    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Threshold=20,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        Metrics=[{"Id": "percent", "Expression": "100 * bad / all", "Label": "bad"}, metric("bad"), metric("all")],
    )
    assert state(aws, name) == "OK"
    put(aws, f"{name}-all", 10)
    put(aws, f"{name}-bad", 3)
    assert state(aws, name) == "ALARM"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"ThresholdMetricId": "band"}, "anomaly detection"),
        (
            {"Metrics": [{"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m, 2)"}]},
            "ANOMALY_DETECTION_BAND is not evaluated",
        ),
        ({"Metrics": [{"Id": "e", "Expression": "m / 2"}]}, "names m, which is no id"),
    ],
)
def test_an_alarm_that_would_never_be_judged_is_refused(aws, fields, problem):
    with pytest.raises(ClientError, match=problem):
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName="never", EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", **fields
        )


def test_an_alarm_tells_its_topic_its_function_and_the_event_bus(aws):
    sns, sqs, events = aws.client("sns"), aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "Policy": json.dumps(
                {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
            )
        },
    )
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="alarms", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="alarms", Targets=[{"Id": "1", "Arn": arn}])
    function = aws.function(
        f"import boto3\ndef handler(event, context): boto3.client('sqs').send_message("
        f"QueueUrl={queue!r}, MessageBody='function ' + event['alarmData']['alarmName'])",
        allow("sqs:SendMessage"),
    )
    name = alarm(aws, AlarmActions=[topic, function])
    put(aws, name, 5)
    told = []

    def all_told() -> bool:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(message["Body"] for message in got)
        about = " ".join(text for text in told if name in text)
        return "function " in about and '"NewStateValue": "ALARM"' in about and "CloudWatch Alarm State Change" in about

    assert eventually(all_told)


def test_an_alarm_of_a_template_keeps_its_metric_math_and_may_be_part_of_a_composite(aws):
    stack, formation = new_name("stack"), aws.client("cloudformation")
    metric = {
        "Id": "m",
        "ReturnData": False,
        "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": stack}, "Period": 60, "Stat": "Sum"},
    }
    formation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(
            {
                "Resources": {
                    "Twice": {
                        "Type": "AWS::CloudWatch::Alarm",
                        "Properties": {
                            "Metrics": [{"Id": "e", "Expression": "m * 2"}, metric],
                            "Threshold": 5,
                            "EvaluationPeriods": 1,
                            "AlarmName": f"{stack}-twice",
                            "ComparisonOperator": "GreaterThanThreshold",
                            "TreatMissingData": "notBreaching",
                        },
                    },
                    "Any": {
                        "Type": "AWS::CloudWatch::CompositeAlarm",
                        "DependsOn": "Twice",
                        "Properties": {"AlarmName": f"{stack}-any", "AlarmRule": f'ALARM("{stack}-twice")'},
                    },
                }
            }
        ),
    )
    formation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    put(aws, stack, 3)
    composite = aws.client("cloudwatch").describe_alarms(AlarmNames=[f"{stack}-any"], AlarmTypes=["CompositeAlarm"])
    assert composite["CompositeAlarms"][0]["StateValue"] == "ALARM"
