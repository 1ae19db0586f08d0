"""SageMaker in MiniStack: the only module that joins `local.sagemaker` to the gateway's routing, state and IAM."""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import ministack.app as app
from ministack.core import iam_actions, router
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch, ecr, eventbridge

from local.ministack import sagemaker_cloudformation, sagemaker_iam, sagemaker_states
from local.sagemaker import api, runtime
from local.sagemaker.engine import Cloud, Engine
from local.sagemaker.errors import SageMakerError

NAME = "sagemaker"
HOOKS = (
    "ministack.app:SERVICE_REGISTRY",
    "ministack.app:SERVICE_HANDLERS",
    "ministack.app:_loaded_modules",
    "ministack.app:_lazy_handler",
    "ministack.app:_state_map",
    "ministack.core.responses:request_scope",
    "ministack.core.router:SERVICE_PATTERNS",
    "ministack.core.router:extract_access_key_id",
    "ministack.services.eventbridge:_put_events",
    "ministack.services.cloudwatch:record_metric",
    *sagemaker_iam.HOOKS,
    "ministack.services.ecr:_images",
    *sagemaker_cloudformation.HOOKS,
    *sagemaker_states.HOOKS,
)
log = logging.getLogger(NAME)
_engines: dict[tuple[str, str], Engine] = {}
_making_engines = threading.Lock()


def register() -> None:
    """Put SageMaker into MiniStack's registries, before `ministack.app.main()`."""
    module = sys.modules[__name__]
    app._loaded_modules[NAME] = sys.modules[f"ministack.services.{NAME}"] = module
    app.SERVICE_REGISTRY[NAME] = {"module": NAME}
    app.SERVICE_HANDLERS[NAME] = app._lazy_handler(NAME)
    app._state_map[NAME] = NAME
    router.SERVICE_PATTERNS[NAME] = {"target_prefixes": ["SageMaker."], "host_patterns": [r"sagemaker\."]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[NAME] = NAME
    sagemaker_iam.register(current_engine)
    sagemaker_cloudformation.register(call)
    sagemaker_states.register(call, current_engine)


def current_engine() -> Engine:
    """Return the engine of the request's account and region."""
    return _engine_of(get_account_id(), get_region())


def _engine_of(account: str, region: str) -> Engine:
    with _making_engines:
        if (account, region) not in _engines:
            engine = _engines[account, region] = _make_engine(account, region)
            api.start(engine)
        return _engines[account, region]


def _make_engine(account: str, region: str) -> Engine:
    state = Path(os.environ.get("FAIRWAY_STATE_DIR", "var/local")).resolve()
    images = Path(os.environ.get("FAIRWAY_IMAGES", state / "images")).resolve()
    cloud = Cloud(
        account=account,
        region=region,
        endpoint_url=f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}",
        credentials=scoped(account, region, sagemaker_iam.role_session),
        role_problem=scoped(account, region, sagemaker_iam.role_problem),
        emit=scoped(account, region, _put_event),
        metric=scoped(account, region, _put_metric),
        manifest=scoped(account, region, _manifest_in_ecr),
    )
    return Engine(
        cloud,
        work=state / "sagemaker" / f"{account}-{region}",
        images=images,
        python=os.path.abspath(os.environ.get("FAIRWAY_IMAGE_PYTHON", sys.executable)),
    )


def scoped(account: str, region: str, function):
    """Wrap a call of the engine's threads, which have no request, with its account and region."""

    def in_scope(*arguments):
        with request_scope(account, region):
            return function(*arguments)

    return in_scope


def _put_event(detail_type: str, detail: dict, resources: list[str]) -> None:
    entry = {"Source": "aws.sagemaker", "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:  # whatever a rule's target does, the job itself goes on
        log.exception("event %s", detail_type)


def _put_metric(namespace: str, name: str, value: float, unit: str, dimensions: dict) -> None:
    cloudwatch.record_metric(namespace, name, value, unit, dimensions)


def _manifest_in_ecr(uri: str) -> str | None:
    """Return the media type of the manifest pushed as `<registry>/<repository>:<tag>`; None if there is none."""
    repository, _, tag = uri.partition("/")[2].partition(":")
    pushed = (ecr._images.get(repository) or []) if "/" in uri else []
    return next((each["imageManifestMediaType"] for each in pushed if (tag or "latest") in each["imageTags"]), None)


def call(operation: str, request: dict) -> dict:
    """Call an operation of the control plane for the account and region in scope."""
    return api.call(current_engine(), operation, request)


# MiniStack's contract for a service module: handle_request, get_state, load_persisted_state, reset.


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict):
    headers = {name.lower(): value for name, value in headers.items()}
    body = body.encode() if isinstance(body, str) else body or b""
    if path.startswith("/endpoints/"):
        return await asyncio.to_thread(_answer_runtime, method, path, headers, body)
    return await asyncio.to_thread(_answer_control, headers, body)


def _answer_control(headers: dict, body: bytes):
    operation = headers.get("x-amz-target", "").removeprefix("SageMaker.")
    try:
        request = json.loads(body or b"{}")
        sagemaker_iam.check_passed(operation, request, headers)
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(call(operation, request)).encode()
    except SageMakerError as error:
        return (
            error.status,
            {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code},
            json.dumps({"__type": error.code, "message": error.message, "Message": error.message}).encode(),
        )


def _answer_runtime(method: str, path: str, headers: dict, body: bytes):
    """Answer the runtime.

    Header names are in lower case: MiniStack rewrites a `Content-Type` to the control plane's own.
    """
    try:
        name, _, action = unquote(path.removeprefix("/endpoints/")).partition("/")
        if (method, action) != ("POST", "invocations"):
            raise SageMakerError("ValidationError", f"{method} {action} is not simulated. Use InvokeEndpoint.")
        answered, answer = runtime.invoke(current_engine(), name, headers, body)
        return 200, answered, answer
    except SageMakerError as error:
        headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
        return error.status, headers, runtime.error_body(error)


def get_state() -> dict:
    return {"\x00".join(scope): engine.store.snapshot() for scope, engine in list(_engines.items())}


def load_persisted_state(data: dict) -> None:
    for scope, snapshot in data.items():
        engine = _engine_of(*scope.split("\x00"))
        api.restore(engine, snapshot)
        threading.Thread(target=resume, args=(engine,), daemon=True, name="sagemaker-resume").start()


def resume(engine: Engine) -> None:
    """Resume once the gateway answers, since servers read their models from its S3."""
    port = int(engine.cloud.endpoint_url.rpartition(":")[2])
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    api.resume(engine)


def reset() -> None:
    for engine in list(_engines.values()):
        api.shut_down(engine)
    _engines.clear()
