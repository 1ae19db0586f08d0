"""The behaviours of AWS that the app stands on, each done for real, on any endpoint."""

import io
import json
import tarfile
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.fidelity.clients import ACCOUNT, Aws, is_refused, until, zipped

IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/probe:v1"
CODE = """
import json, time
def handler(event, context):
    metric = {"Namespace": "Ledger", "Dimensions": [["d"]], "Metrics": [{"Name": "N", "Unit": "Count"}]}
    emf = {"Timestamp": time.time_ns() // 1000000, "CloudWatchMetrics": [metric]}
    print(json.dumps({"_aws": emf, "d": "x", "N": 7}))
    return {"twice": event.get("value", 0) * 2}
"""


class Behaviour(NamedTuple):
    relied_on_by: str
    does: str
    try_it: Callable[[Aws], bool]


def bucket(aws: Aws) -> str:
    aws.client("s3").create_bucket(Bucket=aws.name("ledger"))
    aws.client("s3").put_object(Bucket=aws.name("ledger"), Key="in/a.csv", Body=b"1\n")
    return aws.name("ledger")


def training_job(aws: Aws, word: str, **changes) -> dict:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket(aws)}/in/"}
    metric = {"Name": "accuracy", "Regex": "accuracy=([0-9.]+);"}
    return {
        "TrainingJobName": aws.name(word),
        "RoleArn": aws.role("sagemaker"),
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": [metric]},
        "InputDataConfig": [{"ChannelName": "rows", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{aws.name('ledger')}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def trained(aws: Aws, word: str, **changes) -> dict:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**training_job(aws, word, **changes))

    def ended():
        job = sagemaker.describe_training_job(TrainingJobName=aws.name(word))
        return job if job["TrainingJobStatus"] != "InProgress" else None

    return until(ended) or {}


def trains(aws: Aws) -> bool:
    trained(aws, "train")
    archive = aws.client("s3").get_object(Bucket=aws.name("ledger"), Key=f"out/{aws.name('train')}/output/model.tar.gz")
    return tarfile.open(fileobj=io.BytesIO(archive["Body"].read())).getnames() == ["algo-1.json"]


def _logs_training(aws: Aws) -> bool:
    events = aws.client("logs").filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs")["events"]
    return any("accuracy=0.75" in event["message"] for event in events)


def _measures_training(aws: Aws) -> bool:
    job = aws.client("sagemaker").describe_training_job(TrainingJobName=aws.name("train"))
    return job["FinalMetricDataList"][0]["Value"] == 0.75


def _tells_training(aws: Aws) -> bool:
    url, arn = aws.queue("told")
    aws.client("events").put_rule(Name=aws.name("told"), EventPattern='{"source": ["aws.sagemaker"]}')
    aws.client("events").put_targets(Rule=aws.name("told"), Targets=[{"Id": "1", "Arn": arn}])
    trained(aws, "told")
    return bool(aws.received(url))


def _fails_training(aws: Aws) -> bool:
    return "no rows" in trained(aws, "failing", HyperParameters={"fail": "no rows"})["FailureReason"]


def _refuses_spot(aws: Aws) -> bool:
    times = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 5}
    job = training_job(aws, "spot", EnableManagedSpotTraining=True, StoppingCondition=times)
    return is_refused(lambda: aws.client("sagemaker").create_training_job(**job))


def processes(aws: Aws) -> bool:
    place = {"S3Uri": f"s3://{bucket(aws)}/po", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    machine = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    sagemaker, name = aws.client("sagemaker"), aws.name("process")
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=aws.role("sagemaker"),
        AppSpecification={"ImageUri": IMAGE},
        ProcessingResources={"ClusterConfig": machine},
        ProcessingOutputConfig={"Outputs": [{"OutputName": "o", "S3Output": place}]},
    )
    until(lambda: sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] != "InProgress")
    written = aws.client("s3").get_object(Bucket=aws.name("ledger"), Key="po/algo-1.json")["Body"].read()
    return json.loads(written)["job"] == name


def serves(aws: Aws) -> bool:
    sagemaker, name = aws.client("sagemaker"), aws.name("serve")
    model = f"s3://{aws.name('ledger')}/out/{aws.name('train')}/output/model.tar.gz"
    container = {"Image": IMAGE, "ModelDataUrl": model}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=aws.role("sagemaker"), PrimaryContainer=container)
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    variant = {"VariantName": "all", "ModelName": name, "ServerlessConfig": serverless}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    until(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    return invoked(aws, b"a\n") == b"a,scored\n"


def invoked(aws: Aws, body: bytes) -> bytes:
    runtime = aws.client("sagemaker-runtime")
    answer: bytes = runtime.invoke_endpoint(EndpointName=aws.name("serve"), Body=body, ContentType="text/csv")[
        "Body"
    ].read()
    return answer


def _limits_requests(aws: Aws) -> bool:
    return is_refused(lambda: invoked(aws, b"x" * (4 * 1024 * 1024 + 1)))


def counts(aws: Aws, namespace: str, metric: str, **dimensions: str) -> bool:
    asked = {"Namespace": namespace, "MetricName": metric, "Period": 60, "Statistics": ["Sum"]}
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    span = {"StartTime": time.time() - 600, "EndTime": time.time() + 60}
    return bool(
        until(lambda: aws.client("cloudwatch").get_metric_statistics(**asked, Dimensions=named, **span)["Datapoints"])
    )


def _measures_requests(aws: Aws) -> bool:
    return counts(aws, "AWS/SageMaker", "Invocations", EndpointName=aws.name("serve"), VariantName="all")


def registers(aws: Aws) -> bool:
    sagemaker, group = aws.client("sagemaker"), aws.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    containers = [{"Image": IMAGE, "ModelDataUrl": f"s3://{aws.name('ledger')}/out/model.tar.gz"}]
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={"Containers": containers, **types},
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    approval = sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"]
    return approval == "Approved"


def _runs_function(aws: Aws) -> bool:
    functions, name = aws.client("lambda"), aws.name("function")
    role = aws.role("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="app.handler", Code={"ZipFile": zipped(CODE)}
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return json.loads(functions.invoke(FunctionName=name, Payload=b'{"value": 21}')["Payload"].read()) == {"twice": 42}


def _logs_function(aws: Aws) -> bool:
    group = f"/aws/lambda/{aws.name('function')}"
    return bool(until(lambda: aws.client("logs").filter_log_events(logGroupName=group)["events"]))


SAGEMAKER = [
    Behaviour("train", "a training job runs the container; its model is in S3", trains),
    Behaviour("train", "the container's lines are in CloudWatch Logs", _logs_training),
    Behaviour("train", "FinalMetricDataList is read from the lines", _measures_training),
    Behaviour("train", "state changes of a job come over EventBridge", _tells_training),
    Behaviour("train", "a container that fails fails its job with the reason", _fails_training),
    Behaviour("train", "spot: MaxWait below MaxRuntime is refused", _refuses_spot),
    Behaviour("batch", "a processing job runs the container; its outputs are in S3", processes),
    Behaviour("request", "an endpoint answers with the container's own answer", serves),
    Behaviour("request", "a serverless request of more than 4 MB is refused", _limits_requests),
    Behaviour("watch", "requests to an endpoint are counted in CloudWatch", _measures_requests),
    Behaviour("release", "a model package is registered and approved", registers),
    Behaviour("request", "a function runs its code", _runs_function),
    Behaviour("request", "a function's lines are in CloudWatch Logs", _logs_function),
    Behaviour("watch", "an EMF line becomes a metric", lambda aws: counts(aws, "Ledger", "N", d="x")),
]
