"""Python Lambdas on AWS's own runtime client, in an environment that holds only the zip and what the runtime offers.

MiniStack already serves the Lambda Runtime API to `provided.*` functions; its Python worker imports from its own
site-packages and reports every failure as `Runtime.HandlerError`. Here a Python function is a `provided` one whose
bootstrap runs awslambdaric: real error types (Step Functions' Retry and Catch match on them), real context, real logs.
"""

import contextlib
import json
import os
import queue
import select
import threading
from pathlib import Path

from ministack.core import lambda_runtime as runtime
from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from local import functions
from local.runtime_api import guarded

RUNTIME = "ministack.core.lambda_runtime"
LAMBDA = "ministack.services.lambda_svc"
HOOKS = (
    f"{RUNTIME}:_worker_class_for",
    f"{RUNTIME}:ProvidedWorker._pump_output",
    f"{RUNTIME}:ProvidedWorker._await_init",
    f"{RUNTIME}:ProvidedWorker._drain_stderr_bounded",
    f"{RUNTIME}:ProvidedWorker._record_result",
    f"{RUNTIME}:ProvidedWorker._build_handler_class",
    f"{RUNTIME}:ProvidedRuntimeError",
    f"{RUNTIME}:execution_credentials",
    f"{LAMBDA}:_execute_function_warm",
    f"{LAMBDA}:_provided_worker_env",
    f"{LAMBDA}:_execute_function_provided_warm",
    f"{LAMBDA}:_provided_runtime_code_dir",
    f"{LAMBDA}:_runtime_env_vars",
    f"{LAMBDA}:_invoke",
    f"{LAMBDA}:_put_event_invoke_config",
)

BOOTSTRAP = '#!/bin/sh\nexec "$FAIRWAY_LAMBDA_PYTHON" -m awslambdaric "$_HANDLER"\n'
LARGEST_PAYLOAD_BYTES = 6 * 1024 * 1024
LARGEST_EVENT_BYTES = 1024 * 1024  # when nobody waits for the answer
INHERITED = ("PATH", "TMPDIR", "FAIRWAY_LAMBDA_PYTHON", "FAIRWAY_LOCAL_SERVER", "AWS_ENDPOINT_URL")


def register() -> None:
    worker_class, run_warm = runtime._worker_class_for, lambda_svc._execute_function_warm
    code_dir, environment = lambda_svc._provided_runtime_code_dir, lambda_svc._provided_worker_env
    python_worker = _make_worker(runtime)

    runtime._worker_class_for = lambda config: python_worker if _is_python(config) else worker_class(config)
    lambda_svc._execute_function_warm = lambda function, event, request: (
        lambda_svc._execute_function_provided_warm if _is_python(function.get("config") or function) else run_warm
    )(function, event, request)
    lambda_svc._provided_runtime_code_dir = lambda code: _with_bootstrap(code_dir(code))
    lambda_svc._provided_worker_env = lambda config, folder, port: (
        _python_environment(config, environment(config, folder, port), folder, lambda_svc._runtime_env_vars(config))
        if _is_python(config)
        else environment(config, folder, port)
    )
    lambda_svc._invoke = within_limits(lambda_svc._invoke)
    lambda_svc._put_event_invoke_config = _without_success(lambda_svc._put_event_invoke_config)


def within_limits(invoke):
    async def invoke_within_limits(name, event, headers, *arguments):
        is_event = headers.get("x-amz-invocation-type") == "Event"
        largest = LARGEST_EVENT_BYTES if is_event else LARGEST_PAYLOAD_BYTES
        if len(json.dumps(event).encode()) > largest:
            return error_response_json(
                "RequestTooLargeException",
                f"Request must be smaller than {largest} bytes for the "
                f"{'InvokeFunctionAsync' if is_event else 'InvokeFunction'} operation",
                413,
            )
        return await invoke(name, event, headers, *arguments)

    return invoke_within_limits


def _without_success(put_config):
    """Deliver failed events to their destination; destinations for success are refused, as they would not be served."""

    def put_config_without_success(name, qualifier, request):
        if ((request.get("DestinationConfig") or {}).get("OnSuccess") or {}).get("Destination"):
            return error_response_json(
                "InvalidParameterValueException",
                "The destination OnSuccess is not simulated by the local AWS; let the function send what it made",
                400,
            )
        return put_config(name, qualifier, request)

    return put_config_without_success


def _is_python(config: dict) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _with_bootstrap(folder: str) -> str:
    bootstrap = Path(folder, "bootstrap")
    if not bootstrap.exists():
        bootstrap.write_text(BOOTSTRAP)
        bootstrap.chmod(0o755)
    return folder


def _python_environment(config: dict, provided: dict, folder: str, own: dict) -> dict:
    """Return what AWS sets, what the function sets, and only what running needs from this machine."""
    if config.get("Layers"):
        raise RuntimeError(
            f"function {config['FunctionName']} uses layers, which the local AWS does not offer; "
            "put the code into its zip"
        )
    given = {name: value for name, value in provided.items() if name.startswith(("AWS_", "_", "LAMBDA_"))}
    logging = config.get("LoggingConfig") or {}
    environment = {
        **given,
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        **own,
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}",
        "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat") or "Text",
        "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel") or "",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": folder,
        "PYTHONNOUSERSITE": "1",
    }
    return functions.known(environment)


def _make_worker(runtime):  # noqa: C901 - one branch for each part that MiniStack lacks
    """Make the worker class; here, because MiniStack is imported only after its settings."""

    class PythonWorker(runtime.ProvidedWorker):  # type: ignore[name-defined]  # of a module that is imported later
        """One execution environment: a process of the function's code and the Runtime API server it polls."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self._reading = threading.Lock()
            self._output = None

        def _build_handler_class(self, *arguments):
            return guarded(super()._build_handler_class(*arguments))

        def _await_init(self, init_timeout=None):
            try:
                super()._await_init(init_timeout)
            except RuntimeError as error:
                failure = self._init_error
                if not isinstance(failure, dict):
                    raise
                raise runtime.ProvidedRuntimeError(failure["errorMessage"], failure["errorType"]) from error

        def _record_result(self, generation, request_id, kind, payload):
            too_large = kind == "response" and _larger_than_allowed(payload)
            if too_large:
                kind, payload = "error", {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": too_large}
            return super()._record_result(generation, request_id, kind, payload)

        def _pump_output(self, stream, lines):
            """Read the process's output for all its life, so that it never blocks on a full pipe."""
            os.set_blocking(stream.fileno(), False)
            self._output = Output(stream.fileno(), lines)
            with stream:
                while self._output.wait():
                    self._output.read()

        def _drain_stderr_bounded(self, **_):
            """Return all lines of this invocation: the process wrote them before it answered, so there is no wait."""
            if self._output is not None:
                self._output.read()
            return self._drain_stderr()

    return PythonWorker


class Output:
    """Output of one process as lines, read by its pump and, once there is an answer, by the answering thread."""

    def __init__(self, descriptor: int, lines):
        self.descriptor, self.lines = descriptor, lines
        self.lock, self.partial, self.open = threading.Lock(), b"", True

    def wait(self) -> bool:
        """Wait until there is something to read; False at the end."""
        if self.open:
            select.select([self.descriptor], [], [])
        return self.open

    def read(self) -> None:
        with self.lock:
            while self.open:
                try:
                    chunk = os.read(self.descriptor, 65536)
                except BlockingIOError:
                    return
                self.open = bool(chunk)
                *whole, self.partial = (self.partial + (chunk or b"\n")).split(b"\n")
                for line in whole:
                    self.put(line.decode(errors="replace"))

    def put(self, line: str) -> None:
        with contextlib.suppress(queue.Empty):  # taken meanwhile by the answering thread
            if self.lines.full():
                self.lines.get_nowait()  # the oldest goes
        self.lines.put_nowait(line)


def _larger_than_allowed(payload: object) -> str | None:
    size = len(json.dumps(payload).encode())
    if size <= LARGEST_PAYLOAD_BYTES:
        return None
    return f"Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."
