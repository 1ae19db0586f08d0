"""Batch transform: every object of a prefix is posted to the model's server, and the answers are written as
`<key>.out`.
"""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker import jobs, resources
from local.sagemaker.engine import Engine
from local.sagemaker.errors import JobFailed, not_simulated, refuse
from local.sagemaker.jobs import Stopped
from local.sagemaker.s3_io import join, list_manifest, list_prefix, parse_uri
from local.sagemaker.servers import Server, post, start_server, stop_server

KIND = "TransformJob"
LOG_GROUP = "/aws/sagemaker/TransformJobs"
NEEDLESS = b"\r\n"


def create(engine: Engine, request: dict) -> dict:
    refuse(
        request,
        ("DataProcessing", "DataCaptureConfig", "ExperimentConfig", "TransformResources.TransformAmiVersion"),
        "CreateTransformJob",
    )
    source = request["TransformInput"]
    if source.get("SplitType", "None") not in ("None", "Line"):
        raise not_simulated(f"SplitType {source['SplitType']}", "Use None or Line.")
    if source.get("CompressionType", "None") != "None":
        raise not_simulated("CompressionType of a transform input", "Decompress the objects first.")
    if source["DataSource"]["S3DataSource"]["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise not_simulated("This S3DataType of a transform input", "Use S3Prefix or ManifestFile.")
    model = resources.need(engine, "Model", request["ModelName"])
    record = resources.create(engine, KIND, request, TransformJobStatus="InProgress")
    resources.announce(engine, KIND, record)
    return jobs.launch(engine, KIND, record, lambda stop: run(engine, record, model, stop))


def run(engine: Engine, record: dict, model: dict, stop: threading.Event) -> None:
    name, server = record["TransformJobName"], None
    s3 = engine.client("s3", model["ExecutionRoleArn"], name)
    try:
        server = start_server(
            engine,
            model,
            label=f"transform-{name}",
            group=LOG_GROUP,
            stream=f"{name}/{int(time.time())}",
            environment=record.get("Environment", {}),
            cancelled=stop.is_set,
        )
        engine.store.update(KIND, name, TransformStartTime=time.time())
        source = record["TransformInput"]["DataSource"]["S3DataSource"]
        listing = list_manifest if source["S3DataType"] == "ManifestFile" else list_prefix
        objects = listing(s3, source["S3Uri"])
        if not objects:
            raise JobFailed(f'ClientError: No S3 objects found under S3 URL "{source["S3Uri"]}".')
        with ThreadPoolExecutor(max(1, record.get("MaxConcurrentTransforms", 1))) as pool:
            for done in [pool.submit(transform, s3, server, record, item, stop) for item in objects]:
                done.result()
    except (ClientError, BotoCoreError) as error:
        raise JobFailed(f"ClientError: {error}") from error
    finally:
        if server:
            stop_server(engine, server)
        shutil.rmtree(engine.work / "servers" / f"transform-{name}", ignore_errors=True)


def transform(s3, server: Server, record: dict, item: tuple[str, str, str], stop: threading.Event) -> None:
    bucket, key, below = item
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    answers = [invoke(server, record, part, key, stop) for part in split(body, record)]
    output = record["TransformOutput"]
    by_line = output.get("AssembleWith", "None") == "Line"
    glued = b"".join(answer.rstrip(NEEDLESS) + b"\n" for answer in answers) if by_line else b"".join(answers)
    to_bucket, prefix = parse_uri(output["S3OutputPath"])
    s3.put_object(Bucket=to_bucket, Key=join(prefix, f"{below}.out"), Body=glued)


def split(body: bytes, record: dict) -> list[bytes]:
    """Split into mini-batches of whole lines up to MaxPayloadInMB, single lines, or the object as a whole."""
    if record["TransformInput"].get("SplitType", "None") == "None":
        return [body]
    lines = body.splitlines(keepends=True)
    if record.get("BatchStrategy", "MultiRecord") == "SingleRecord":
        return lines
    limit, size = record.get("MaxPayloadInMB", 6) * 2**20, 0
    batches: list[list[bytes]] = []
    for line in lines:
        if not batches or size + len(line) > limit:
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line)
    return [b"".join(batch) for batch in batches]


def invoke(server: Server, record: dict, part: bytes, key: str, stop: threading.Event) -> bytes:
    if stop.is_set():
        raise Stopped()
    headers = {
        "Content-Type": record["TransformInput"].get("ContentType", "application/octet-stream"),
        "Accept": record["TransformOutput"].get("Accept", "*/*"),
    }
    patience = record.get("ModelClientConfig", {})
    for _ in range(patience.get("InvocationsMaxRetries", 0) + 1):
        status, _, answer = post(server, part, headers, timeout_s=patience.get("InvocationsTimeoutInSeconds", 600))
        if status == 200:
            return answer
    raise JobFailed(
        f"ClientError: See job logs for more information. {key}: Bad HTTP status received from algorithm: "
        f"{status} {answer[:300].decode(errors='replace')}"
    )
