"""Training jobs: channels in, `train` on every instance, model and output archives back."""

import re
import shutil
import threading
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker import jobs, quotas, resources
from local.sagemaker.container import Container, path_inside
from local.sagemaker.engine import Engine
from local.sagemaker.errors import JobFailed, invalid, not_simulated, refuse
from local.sagemaker.jobs import Stopped
from local.sagemaker.logs import LogStream
from local.sagemaker.s3_io import Mirror, fill, is_there, list_prefix, send, upload_archive
from local.sagemaker.training_folder import host_names, prepare, toolkit_variables

KIND = "TrainingJob"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
METRICS_NAMESPACE = "/aws/sagemaker/TrainingJobs"
CHECKPOINTS = "/opt/ml/checkpoints"
CHECKPOINTS_EVERY_S = 2
NOT_SIMULATED = (
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerRuleConfigurations",
    "RemoteDebugConfig",
    "InfraCheckConfig",
    "SessionChainingConfig",
    "ServerlessJobConfig",
    "MlflowConfig",
    "ModelPackageConfig",
    "AlgorithmSpecification.TrainingImageConfig",
    "ResourceConfig.KeepAlivePeriodInSeconds",
    "ResourceConfig.InstanceGroups",
    "ResourceConfig.TrainingPlanArn",
    "ResourceConfig.InstancePlacementConfig",
    "ResourceConfig.InstancePreferences",
    "ProfilerConfig.S3OutputPath",
)
NOT_SIMULATED_OF_A_CHANNEL = (
    "ShuffleConfig",
    *(
        f"DataSource.S3DataSource.{member}"
        for member in ("AttributeNames", "InstanceGroupNames", "ModelAccessConfig", "HubAccessConfig")
    ),
)


def create(engine: Engine, request: dict) -> dict:
    check(engine, request)
    record = resources.create(
        engine,
        KIND,
        request,
        TrainingJobStatus="InProgress",
        SecondaryStatus="Starting",
        ModelArtifacts={"S3ModelArtifacts": f"{_output_folder(request)}/model.tar.gz"},
        LastModifiedTime=time.time(),
        SecondaryStatusTransitions=[
            {"Status": "Starting", "StartTime": time.time(), "StatusMessage": "Preparing the instances for training"}
        ],
    )
    resources.announce(engine, KIND, record)
    return jobs.launch(engine, KIND, record, lambda stop: run(engine, record, stop))


def check(engine: Engine, request: dict) -> None:
    refuse(request, NOT_SIMULATED, "CreateTrainingJob")
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in request:
            raise invalid(f"{member} is required")
    if "TrainingImage" not in request["AlgorithmSpecification"]:
        raise not_simulated("A training job without TrainingImage", "Name the image in AlgorithmSpecification.")
    if "InstanceType" not in request["ResourceConfig"] or not request["ResourceConfig"].get("InstanceCount"):
        raise not_simulated("ResourceConfig without InstanceType and a positive InstanceCount", "Give both.")
    if request["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise not_simulated("An OutputDataConfig without compression", "Use GZIP.")
    for channel in request.get("InputDataConfig", []):
        _check_channel(request, channel)
    if not request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS).startswith("/opt/ml/"):
        raise invalid("LocalPath of CheckpointConfig must be a folder below /opt/ml.")
    _check_time(request)
    engine.image(request["AlgorithmSpecification"]["TrainingImage"])
    engine.check_role(request["RoleArn"])
    for channel in request.get("InputDataConfig", []):
        _need_objects(engine, request, channel)
    quotas.check_instances(engine, KIND, request["ResourceConfig"])


def _check_channel(request: dict, channel: dict) -> None:
    name = channel["ChannelName"]
    if "S3DataSource" not in channel["DataSource"]:
        raise not_simulated(f"Channel {name} without S3DataSource", "Put the data in S3.")
    if channel["DataSource"]["S3DataSource"]["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise not_simulated(f"S3DataType of channel {name}", "Use S3Prefix or ManifestFile.")
    if "Pipe" in (channel.get("InputMode"), request["AlgorithmSpecification"].get("TrainingInputMode")):
        raise not_simulated(f"Pipe mode of channel {name}", "Use File or FastFile.")
    if channel.get("CompressionType", "None") != "None":
        raise not_simulated(f"CompressionType of channel {name}", "SageMaker decompresses in Pipe mode only.")
    refuse(channel, NOT_SIMULATED_OF_A_CHANNEL, f"channel {name}")


def _need_objects(engine: Engine, request: dict, channel: dict) -> None:
    """Refuse a prefix without objects. What the role may not list is left to the job, as on SageMaker."""
    source = channel["DataSource"]["S3DataSource"]
    s3 = engine.client("s3", request["RoleArn"], request["TrainingJobName"])
    try:
        found = is_there(s3, source["S3Uri"])
    except (ClientError, BotoCoreError, JobFailed):
        return
    if not found:
        raise invalid(
            f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
            "bucket exists in the selected region, that objects exist under that S3 prefix, and that the role "
            f'"{request["RoleArn"]}" has "s3:ListBucket" permissions on it.'
        )


def _check_time(request: dict) -> None:
    limits = request["StoppingCondition"]
    run_s, wait_s = limits.get("MaxRuntimeInSeconds", jobs.DEFAULT_LIMIT_S), limits.get("MaxWaitTimeInSeconds")
    if request.get("EnableManagedSpotTraining"):
        if wait_s is None or wait_s < run_s:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
                f"MaxRuntimeInSeconds ({run_s}) for managed spot training."
            )
    elif wait_s is not None:
        raise invalid("Invalid MaxWaitTimeInSeconds. It is supported only when EnableManagedSpotTraining is true.")


def run(engine: Engine, record: dict, stop: threading.Event) -> None:
    name, role = record["TrainingJobName"], record["RoleArn"]
    work = engine.workspace(KIND, name)
    try:
        s3, hosts = engine.client("s3", role, name), host_names(record["ResourceConfig"].get("InstanceCount", 1))
        jobs.move(engine, KIND, name, secondary="Downloading", message="Downloading input data")
        folders = [prepare(work / host, record, host, hosts) for host in hosts]
        _fill_channels(s3, record, folders)
        checkpoints = _start_checkpoints(s3, record, folders)
        if stop.is_set():
            raise Stopped()
        jobs.move(
            engine,
            KIND,
            name,
            secondary="Training",
            message="Training image download completed. Training in progress.",
            TrainingStartTime=time.time(),
        )
        train(engine, record, folders, hosts, s3, checkpoints, stop)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def train(
    engine: Engine,
    record: dict,
    folders: list[Path],
    hosts: list[str],
    s3,
    checkpoints: list[Mirror],
    stop: threading.Event,
) -> None:
    """Run the containers; what a stopped or overdue job has saved is kept too, as on SageMaker."""
    metrics = Metrics(engine, record)
    logs = [
        LogStream(
            engine.client("logs", record["RoleArn"], record["TrainingJobName"]),
            LOG_GROUP,
            f"{record['TrainingJobName']}/{host}-{int(time.time())}",
        )
        for host in hosts
    ]
    starts = [
        container_start(engine, record, folder, host, hosts, stream, metrics.read)
        for folder, host, stream in zip(folders, hosts, logs, strict=True)
    ]
    stopped = None
    try:
        ended = jobs.run_containers(
            engine,
            starts,
            limit_s=jobs.limit_s(record),
            stop=stop,
            meanwhile=jobs.every(CHECKPOINTS_EVERY_S, lambda: send(checkpoints)),
        )
        failed = [container for container, code in ended if code]
    except Stopped as asked:
        stopped, failed = asked, []
    finally:
        for stream in logs:
            stream.close()
        send(checkpoints)
        _close_training(engine, record, metrics.final)
    if failed:
        raise failure(failed[0])
    jobs.move(
        engine, KIND, record["TrainingJobName"], secondary="Uploading", message="Uploading generated training model"
    )
    upload_archive(
        s3,
        [folder / "model" for folder in folders],
        folders[0].parent / "model.tar.gz",
        f"{_output_folder(record)}/model.tar.gz",
    )
    if any(any((folder / "output/data").iterdir()) for folder in folders):
        upload_archive(
            s3,
            [folder / "output/data" for folder in folders],
            folders[0].parent / "output.tar.gz",
            f"{_output_folder(record)}/output.tar.gz",
        )
    if stopped:
        raise stopped


def container_start(engine, record, folder, host, hosts, stream, read_metric):
    algorithm = record["AlgorithmSpecification"]
    image = engine.image(algorithm["TrainingImage"])
    command = image.command(
        "train", entrypoint=algorithm.get("ContainerEntrypoint"), arguments=algorithm.get("ContainerArguments")
    )
    aws = (
        {}
        if record.get("EnableNetworkIsolation")
        else engine.aws_environment(record["RoleArn"], record["TrainingJobName"])
    )
    environment = {
        **aws,
        **image.environment(),
        **toolkit_variables(record, folder, host, hosts),
        "TRAINING_JOB_NAME": record["TrainingJobName"],
        "TRAINING_JOB_ARN": record["TrainingJobArn"],
        **record.get("Environment", {}),
    }
    return lambda: jobs.logged(
        engine, command, folder=folder, work=image.folder, environment=environment, logs=stream, also=read_metric
    )


class Metrics:
    """Numbers that MetricDefinitions find in the output: all of them to CloudWatch, the last of each kept."""

    def __init__(self, engine: Engine, record: dict):
        self.engine, self.job = engine, record["TrainingJobName"]
        self.patterns = [
            (definition["Name"], re.compile(definition["Regex"]))
            for definition in record["AlgorithmSpecification"].get("MetricDefinitions", [])
        ]
        self.last: dict[str, dict] = {}

    def read(self, line: str) -> None:
        for name, pattern in self.patterns:
            for found in pattern.finditer(line):
                try:
                    value = float(found[1])
                except ValueError:  # a word where a number was expected is no metric, as on SageMaker
                    continue
                self.last[name] = {"MetricName": name, "Value": value, "Timestamp": time.time()}
                self.engine.cloud.metric(METRICS_NAMESPACE, name, value, "None", {"TrainingJobName": self.job})

    @property
    def final(self) -> list[dict]:
        return list(self.last.values())


def _close_training(engine: Engine, record: dict, metrics: list[dict]) -> None:
    now, name = time.time(), record["TrainingJobName"]
    started = (engine.store.get(KIND, name) or {}).get("TrainingStartTime", now)
    seconds = max(1, round(now - started))
    engine.store.update(
        KIND, name, TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds, FinalMetricDataList=metrics or None
    )


def failure(container: Container) -> JobFailed:
    """Return `AlgorithmError:` with what the container wrote to output/failure, else the end of its output."""
    written = container.folder / "output/failure"
    reason = written.read_text(errors="replace") if written.is_file() else "\n".join(container.tail)
    code = container.exit_code()
    return JobFailed(f"AlgorithmError: {reason[:900]}, exit code: {code}")


def _fill_channels(s3, record: dict, folders: list[Path]) -> None:
    for channel in record.get("InputDataConfig", []):
        source, below = channel["DataSource"]["S3DataSource"], f"input/data/{channel['ChannelName']}"
        fill(
            s3,
            [folder / below for folder in folders],
            uri=source["S3Uri"],
            kind=source["S3DataType"],
            distribution=source.get("S3DataDistributionType"),
            role_arn=record["RoleArn"],
        )


def _start_checkpoints(s3, record: dict, folders: list[Path]) -> list[Mirror]:
    """Restore what an interrupted run saved, if anything; then keep S3 up to date."""
    if "CheckpointConfig" not in record:
        return []
    uri = record["CheckpointConfig"]["S3Uri"]
    local = [path_inside(record["CheckpointConfig"].get("LocalPath", CHECKPOINTS), folder) for folder in folders]
    for folder in local:
        folder.mkdir(parents=True, exist_ok=True)
    if list_prefix(s3, uri):
        fill(s3, local, uri=uri, kind="S3Prefix", distribution=None, role_arn=record["RoleArn"])
    mirrors = [Mirror(s3, folder, uri) for folder in local]
    for mirror in mirrors:
        mirror.skip_present()
    return mirrors


def _output_folder(record: dict) -> str:
    return f"{record['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{record['TrainingJobName']}/output"
