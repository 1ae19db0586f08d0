"""The distributed Map: lists objects, reads files, hands items over in batches, tolerates as many failures as set."""

import json

from tests.local.conftest import allow


def distributed(process: dict, **fields) -> dict:
    return {
        "Type": "Map",
        "End": True,
        **fields,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Do",
            "States": {"Do": process},
        },
    }


def own_machine_and(*actions: str) -> dict:
    return allow("states:StartExecution", *actions)


def test_a_distributed_map_lists_objects_and_hands_them_over_in_batches(aws, bucket):
    for number in range(5):
        aws.client("s3").put_object(Bucket=bucket, Key=f"results/{number}.json", Body=b"{}")
    count = {
        "Type": "Pass",
        "End": True,
        "Output": {"keys": "{% $states.input.Items.Key %}", "run": "{% $states.input.BatchInput.run %}"},
    }
    machine = aws.machine(
        {
            "Each": distributed(
                count,
                MaxConcurrency=2,
                ItemBatcher={"MaxItemsPerBatch": 3, "BatchInput": {"run": "{% $states.input.run %}"}},
                ItemReader={
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Prefix": "results/"},
                },
            )
        },
        own_machine_and("s3:ListBucket"),
    )
    assert aws.run(machine, {"bucket": bucket, "run": "r1"})["output"] == [
        {"keys": ["results/0.json", "results/1.json", "results/2.json"], "run": "r1"},
        {"keys": ["results/3.json", "results/4.json"], "run": "r1"},
    ]


def test_a_distributed_map_reads_a_json_file_and_writes_its_results(aws, bucket):
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="shards.json", Body=json.dumps([{"n": 1}, {"n": 2}]).encode())
    machine = aws.machine(
        {
            "Each": distributed(
                {"Type": "Pass", "Output": "{% $states.input.value * 10 %}", "End": True},
                ItemSelector={"value": "{% $states.context.Map.Item.Value.n %}"},
                ItemReader={
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Arguments": {"Bucket": bucket, "Key": "shards.json"},
                },
                ResultWriter={
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Arguments": {"Bucket": bucket, "Prefix": "told"},
                },
            )
        },
        own_machine_and("s3:GetObject", "s3:PutObject"),
    )
    details = aws.run(machine)["output"]["ResultWriterDetails"]
    manifest = json.loads(s3.get_object(**details)["Body"].read())
    written = json.loads(
        s3.get_object(Bucket=bucket, Key=manifest["ResultFiles"]["SUCCEEDED"][0]["Key"])["Body"].read()
    )
    assert [(child["Status"], json.loads(child["Output"])) for child in written] == [
        ("SUCCEEDED", 10),
        ("SUCCEEDED", 20),
    ]


def test_a_distributed_map_tolerates_as_many_failures_as_it_says(aws):
    fail_two = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Fail"}],
        "Default": "Fine",
    }
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED"},
        "StartAt": "Which",
        "States": {
            "Which": fail_two,
            "Fail": {"Type": "Fail", "Error": "Two", "Cause": "is too many"},
            "Fine": {"Type": "Succeed"},
        },
    }
    each = {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": processor, "End": True}
    strict = aws.run(aws.machine({"Each": each}, own_machine_and()))
    assert (strict["status"], strict["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    tolerant = aws.machine({"Each": {**each, "ToleratedFailureCount": 1}}, own_machine_and())
    assert aws.run(tolerant)["output"] == [1, 3]


def test_a_distributed_map_reads_nothing_that_its_role_may_not_read(aws, bucket):
    machine = aws.machine(
        {
            "Each": distributed(
                {"Type": "Succeed"},
                ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": bucket}},
            )
        },
        own_machine_and(),
    )
    ended = aws.run(machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")
