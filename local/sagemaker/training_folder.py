"""What a training container finds at /opt/ml and in its environment, as SageMaker documents it."""

import json
import os
from pathlib import Path

from local.sagemaker.container import base_path
from local.sagemaker.engine import write_json
from local.sagemaker.keeper import HOSTS

PARTS = ("input/data", "input/config", "model", "output/data", "code", "checkpoints")


def prepare(work: Path, record: dict, host: str, hosts: list[str]) -> Path:
    """Make the folder that the container sees at /opt/ml."""
    folder = work / "ml"
    for part in PARTS:
        (folder / part).mkdir(parents=True)
    config = folder / "input/config"
    write_json(config / "hyperparameters.json", record.get("HyperParameters", {}))
    mode = record["AlgorithmSpecification"].get("TrainingInputMode", "File")
    write_json(
        config / "inputdataconfig.json",
        {channel["ChannelName"]: _channel_config(channel, mode) for channel in record.get("InputDataConfig", [])},
    )
    write_json(config / "resourceconfig.json", resource_config(record, host, hosts))
    write_hosts(work, hosts)
    return folder


def write_hosts(work: Path, hosts: list[str]) -> None:
    """Map every host of a job to this machine; AWS's training toolkit looks up its own name before it runs a script."""
    known = Path("/etc/hosts")
    lines = known.read_text(encoding="utf-8", errors="replace") if known.exists() else ""
    (work / HOSTS).write_text(f"{lines.rstrip()}\n127.0.0.1 {' '.join(hosts)}\n", encoding="utf-8")


def _channel_config(channel: dict, mode: str) -> dict:
    source = channel["DataSource"]["S3DataSource"]
    config = {
        "TrainingInputMode": channel.get("InputMode", mode),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {**config, "ContentType": channel["ContentType"]} if "ContentType" in channel else config


def resource_config(record: dict, host: str, hosts: list[str]) -> dict:
    instance = record["ResourceConfig"]["InstanceType"]
    return {
        "current_host": host,
        "current_instance_type": instance,
        "current_group_name": "homogeneousCluster",
        "hosts": hosts,
        "network_interface_name": "lo",
        "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": hosts}],
    }


def toolkit_variables(record: dict, folder: Path, host: str, hosts: list[str]) -> dict[str, str]:
    """Return the SM_* variables that SageMaker's training toolkit gives a script."""
    base, parameters = base_path(folder), record.get("HyperParameters", {})
    channels = [channel["ChannelName"] for channel in record.get("InputDataConfig", [])]
    return {
        "SM_MODEL_DIR": f"{base}/model",
        "SM_OUTPUT_DIR": f"{base}/output",
        "SM_OUTPUT_DATA_DIR": f"{base}/output/data",
        "SM_INPUT_DIR": f"{base}/input",
        "SM_INPUT_CONFIG_DIR": f"{base}/input/config",
        "SM_CHANNELS": json.dumps(channels),
        "SM_HPS": json.dumps(parameters),
        "SM_HOSTS": json.dumps(hosts),
        "SM_CURRENT_HOST": host,
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_NUM_GPUS": "0",
        "SM_CURRENT_INSTANCE_TYPE": record["ResourceConfig"]["InstanceType"],
        "SM_RESOURCE_CONFIG": json.dumps(resource_config(record, host, hosts)),
        **{f"SM_CHANNEL_{channel.upper()}": f"{base}/input/data/{channel}" for channel in channels},
        **{f"SM_HP_{key.upper()}": value for key, value in parameters.items()},
    }


def host_names(count: int) -> list[str]:
    return [f"algo-{number}" for number in range(1, count + 1)]
