"""InvokeEndpoint: pass a request to a variant's server, and return its answer or error like the real runtime."""

import http.client
import json
import random
import threading
import time

from local.sagemaker import quotas
from local.sagemaker.endpoints import Variant, heal
from local.sagemaker.engine import Engine
from local.sagemaker.errors import SageMakerError
from local.sagemaker.servers import Server, post

TIMEOUT_S = 60
BODY_LIMIT_BYTES = 6_291_456
SERVERLESS_BODY_LIMIT_BYTES = 4 * 2**20
FORWARDED = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id")
NOT_SIMULATED = (
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-enable-explanations",
    "x-amzn-sagemaker-inference-component",
    "x-amzn-sagemaker-session-id",
)


def invoke(engine: Engine, name: str, headers: dict, body: bytes) -> tuple[dict, bytes]:
    """Return response headers and body. Raises SageMakerError for everything that is not a 2xx of the model."""
    record, fleet = engine.store.get("Endpoint", name), engine.fleets.get(name)
    if record is None or not fleet or record["EndpointStatus"] in ("Creating", "Deleting", "Failed"):
        raise SageMakerError("ValidationError", f"Endpoint {name} of account {engine.cloud.account} not found.")
    for header in NOT_SIMULATED:
        if header in headers:
            raise SageMakerError("ValidationError", f"{header} is not simulated by the local SageMaker. Leave it out.")
    variant = choose(record, fleet, headers.get("x-amzn-sagemaker-target-variant"))
    limit = SERVERLESS_BODY_LIMIT_BYTES if variant.slots else BODY_LIMIT_BYTES
    if len(body) > limit:
        raise SageMakerError("ValidationError", f"HTTP content length exceeded {limit} bytes.", 413)
    if variant.slots and not variant.slots.acquire(blocking=False):
        raise SageMakerError("ThrottlingException", "Rate exceeded: the endpoint's MaxConcurrency is in use.")
    try:
        if variant.slots:
            quotas.wait_for_container(variant.last_used, time.time())
            variant.last_used = time.time()
        return measured(engine, name, variant, {key: headers[key] for key in FORWARDED if key in headers}, body)
    finally:
        if variant.slots:
            variant.slots.release()


def choose(record: dict, fleet: dict[str, Variant], target: str | None) -> Variant:
    if target:
        if target not in fleet:
            raise SageMakerError(
                "ValidationError", f"Variant {target} not found for endpoint {record['EndpointName']}."
            )
        return fleet[target]
    names = [shown["VariantName"] for shown in record["ProductionVariants"]]
    weights = [shown["CurrentWeight"] for shown in record["ProductionVariants"]]
    return fleet[random.choices(names, weights if any(weights) else None)[0]]


def measured(engine: Engine, name: str, variant: Variant, headers: dict, body: bytes) -> tuple[dict, bytes]:
    dimensions = {"EndpointName": name, "VariantName": variant.name}
    started = time.perf_counter()
    status = 0
    try:
        status, answered, answer = exchange(engine, name, variant, headers, body)
    finally:
        taken_us = (time.perf_counter() - started) * 1e6
        for metric, value, unit in (
            ("Invocations", 1, "Count"),
            ("ModelLatency", taken_us, "Microseconds"),
            ("Invocation4XXErrors", int(400 <= status < 500), "Count"),
            ("Invocation5XXErrors", int(status >= 500), "Count"),
            ("InvocationModelErrors", int(not 200 <= status < 300), "Count"),
        ):
            engine.cloud.metric("AWS/SageMaker", metric, value, unit, dimensions)
    if not 200 <= status < 300:
        raise _model_error(engine, name, variant.name, status, answer.decode(errors="replace"))
    kept = {
        "content-type": answered.get("content-type", "application/octet-stream"),
        "x-amzn-invoked-production-variant": variant.name,
    }
    attributes = "x-amzn-sagemaker-custom-attributes"
    return ({**kept, attributes: answered[attributes]} if attributes in answered else kept), answer


def exchange(engine: Engine, name: str, variant: Variant, headers: dict, body: bytes) -> tuple[int, dict, bytes]:
    server = variant.next_server()
    if server is None:
        repair(engine, name, variant)
        raise _model_error(engine, name, variant.name, 0, "No healthy instance behind the endpoint.")
    try:
        return post(server, body, headers, timeout_s=TIMEOUT_S)
    except TimeoutError:
        raise _model_error(
            engine,
            name,
            variant.name,
            0,
            f"Your invocation timed out while waiting for a response from container "
            f"{variant.name}. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, "
            "and try again.",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        _repair_if_dead(engine, name, variant, server)
        lost = f"The connection to the container was lost: {error}"
        raise _model_error(engine, name, variant.name, 0, lost) from error


def _repair_if_dead(engine: Engine, name: str, variant: Variant, server: Server) -> None:
    time.sleep(0.05)  # a process that has just closed its socket is a moment from being gone
    if not server.alive():
        repair(engine, name, variant)


def repair(engine: Engine, name: str, variant: Variant) -> None:
    threading.Thread(target=heal, args=(engine, name, variant), daemon=True).start()


def _model_error(engine: Engine, name: str, variant: str, status: int, message: str) -> SageMakerError:
    region, account = engine.cloud.region, engine.cloud.account
    group = f"/aws/sagemaker/Endpoints/{name}"
    side = "client" if 400 <= status < 500 else "server"
    text = (
        f'Received {side} error ({status}) from {variant} with message "{message}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} "
        f"in account {account} for more information."
    )
    return SageMakerError(
        "ModelError",
        text,
        424,
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
    )


def error_body(error: SageMakerError) -> bytes:
    return json.dumps({"Message": error.message, "ErrorCode": error.code, **error.members}).encode()
