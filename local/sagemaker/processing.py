"""Processing jobs: inputs in, one container per instance, outputs back at the end or as they are written."""

import shutil
import threading
import time
from pathlib import Path

from local.sagemaker import jobs, quotas, resources
from local.sagemaker.container import path_inside
from local.sagemaker.engine import Engine, write_json
from local.sagemaker.errors import JobFailed, invalid, not_simulated, refuse
from local.sagemaker.jobs import Stopped
from local.sagemaker.logs import LogStream
from local.sagemaker.s3_io import Mirror, fill, send
from local.sagemaker.training_folder import host_names

KIND = "ProcessingJob"
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
FOLDER = "/opt/ml/processing"
CONTINUOUS_EVERY_S = 1


def create(engine: Engine, request: dict) -> dict:
    check(engine, request)
    record = resources.create(engine, KIND, request, ProcessingJobStatus="InProgress", LastModifiedTime=time.time())
    resources.announce(engine, KIND, record)
    return jobs.launch(engine, KIND, record, lambda stop: run(engine, record, stop))


def check(engine: Engine, request: dict) -> None:
    refuse(
        request, ("ExperimentConfig", "ProcessingResources.ClusterConfig.InstancePreferences"), "CreateProcessingJob"
    )
    if "RoleArn" not in request:
        raise invalid("RoleArn is required")
    for item in request.get("ProcessingInputs", []):
        _check_input(item)
    for item in outputs(request):
        if "S3Output" not in item or item.get("AppManaged"):
            raise not_simulated(
                f"Processing output {item['OutputName']} without S3Output or managed by the application",
                "Use S3Output.",
            )
        _check_folder(item["OutputName"], item["S3Output"].get("LocalPath"))
    engine.image(request["AppSpecification"]["ImageUri"])
    engine.check_role(request["RoleArn"])
    quotas.check_instances(engine, KIND, request["ProcessingResources"]["ClusterConfig"])


def _check_input(item: dict) -> None:
    name, source = item["InputName"], item.get("S3Input")
    if source is None or item.get("AppManaged"):
        raise not_simulated(f"Processing input {name} without S3Input or managed by the application", "Use S3Input.")
    if source.get("S3InputMode", "File") != "File":
        raise not_simulated(f"S3InputMode {source['S3InputMode']} of processing input {name}", "Use File.")
    if source.get("S3CompressionType", "None") != "None":
        raise not_simulated(f"S3CompressionType of processing input {name}", "Decompress in the container.")
    _check_folder(name, source.get("LocalPath"))


def _check_folder(name: str, local_path: str | None) -> None:
    if local_path is None or not (local_path == FOLDER or local_path.startswith(FOLDER + "/")):
        raise invalid(f"LocalPath {local_path!r} of {name} must be {FOLDER} or a folder below it.")


def run(engine: Engine, record: dict, stop: threading.Event) -> None:
    name, role = record["ProcessingJobName"], record["RoleArn"]
    work = engine.workspace(KIND, name)
    try:
        s3 = engine.client("s3", role, name)
        hosts = host_names(record["ProcessingResources"]["ClusterConfig"]["InstanceCount"])
        folders = [prepare(work / host, record, host, hosts) for host in hosts]
        for item in record.get("ProcessingInputs", []):
            source = item["S3Input"]
            fill(
                s3,
                [path_inside(source["LocalPath"], folder) for folder in folders],
                uri=source["S3Uri"],
                kind=source["S3DataType"],
                distribution=source.get("S3DataDistributionType"),
                role_arn=role,
            )
        if stop.is_set():
            raise Stopped()
        engine.store.update(KIND, name, ProcessingStartTime=time.time())
        process(engine, record, folders, hosts, s3, stop)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def process(engine: Engine, record: dict, folders: list[Path], hosts: list[str], s3, stop: threading.Event) -> None:
    name, role = record["ProcessingJobName"], record["RoleArn"]
    logs = [
        LogStream(engine.client("logs", role, name), LOG_GROUP, f"{name}/{host}-{int(time.time())}") for host in hosts
    ]
    continuous, at_end = (mirrors(s3, record, folders, mode) for mode in ("Continuous", "EndOfJob"))
    try:
        starts = [container_start(engine, record, folder, stream) for folder, stream in zip(folders, logs, strict=True)]
        ended = jobs.run_containers(
            engine,
            starts,
            limit_s=jobs.limit_s(record),
            stop=stop,
            meanwhile=jobs.every(CONTINUOUS_EVERY_S, lambda: send(continuous)),
        )
    finally:
        for stream in logs:
            stream.close()
        _note_exit_message(engine, record, folders)
        send(continuous)
    failed = [container for container, code in ended if code]
    if failed:
        raise JobFailed(f"AlgorithmError: {' | '.join(failed[0].tail)[-900:]}, exit code: {failed[0].exit_code()}")
    send(at_end)


def container_start(engine: Engine, record: dict, folder: Path, stream: LogStream):
    app = record["AppSpecification"]
    image = engine.image(app["ImageUri"])
    command = image.command(
        "process", entrypoint=app.get("ContainerEntrypoint"), arguments=app.get("ContainerArguments")
    )
    isolated = record.get("NetworkConfig", {}).get("EnableNetworkIsolation")
    aws = {} if isolated else engine.aws_environment(record["RoleArn"], record["ProcessingJobName"])
    environment = {
        **aws,
        **image.environment(),
        "PROCESSING_JOB_NAME": record["ProcessingJobName"],
        "PROCESSING_JOB_ARN": record["ProcessingJobArn"],
        **record.get("Environment", {}),
    }
    return lambda: jobs.logged(engine, command, folder=folder, work=image.folder, environment=environment, logs=stream)


def prepare(work: Path, record: dict, host: str, hosts: list[str]) -> Path:
    """Make the folder that the container sees at /opt/ml."""
    folder = work / "ml"
    cluster = record["ProcessingResources"]["ClusterConfig"]
    write_json(
        folder / "config/processingjobconfig.json",
        {
            member: record[member]
            for member in (
                "ProcessingJobArn",
                "ProcessingJobName",
                "AppSpecification",
                "ProcessingInputs",
                "ProcessingOutputConfig",
                "ProcessingResources",
                "RoleArn",
                "StoppingCondition",
                "Environment",
            )
            if member in record
        },
    )
    write_json(
        folder / "config/resourceconfig.json",
        {
            "current_host": host,
            "hosts": hosts,
            "current_instance_type": cluster["InstanceType"],
            "network_interface_name": "lo",
        },
    )
    (folder / "output").mkdir()
    (folder / "processing").mkdir()
    for item in outputs(record):
        path_inside(item["S3Output"]["LocalPath"], folder).mkdir(parents=True, exist_ok=True)
    return folder


def mirrors(s3, record: dict, folders: list[Path], mode: str) -> list[Mirror]:
    """Return the output folders of every instance that are uploaded in this mode."""
    return [
        Mirror(s3, path_inside(item["S3Output"]["LocalPath"], folder), item["S3Output"]["S3Uri"])
        for item in outputs(record)
        if item["S3Output"]["S3UploadMode"] == mode
        for folder in folders
    ]


def _note_exit_message(engine: Engine, record: dict, folders: list[Path]) -> None:
    """Record what the container left in /opt/ml/output/message."""
    for folder in folders:
        message = folder / "output/message"
        if message.is_file():
            engine.store.update(
                KIND, record["ProcessingJobName"], ExitMessage=message.read_text(errors="replace")[:1024]
            )


def outputs(record: dict) -> list[dict]:
    return record.get("ProcessingOutputConfig", {}).get("Outputs", [])
