"""Serving processes: a model's container, started, checked by /ping, and called over kept connections."""

import http.client
import queue
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.sagemaker.container import Container, start
from local.sagemaker.engine import Engine
from local.sagemaker.errors import JobFailed
from local.sagemaker.logs import LogStream
from local.sagemaker.models import container as container_of
from local.sagemaker.models import image_and_data
from local.sagemaker.s3_io import download, download_archive

HEALTH_TIMEOUT_S = 240  # SageMaker's own limits: four minutes to answer /ping, two seconds for each answer
PING_TIMEOUT_S = 2
STOP_GRACE_S = 30


@dataclass
class Server:
    """A running model server; `idle` has its open connections."""

    container: Container
    port: int
    logs: LogStream
    folder: Path
    idle: queue.LifoQueue = field(default_factory=queue.LifoQueue)

    def alive(self) -> bool:
        return self.container.exit_code() is None


def start_server(
    engine: Engine,
    model: dict,
    *,
    label: str,
    group: str,
    stream: str,
    environment: dict | None = None,
    health_timeout_s: float = HEALTH_TIMEOUT_S,
    cancelled=lambda: False,
) -> Server:
    """Start a server, and return it once it has answered /ping. Raises JobFailed if it does not, after ending it."""
    work = engine.workspace("servers", label)
    try:
        server = launch(engine, model, work, label, group, stream, environment or {})
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    try:
        _wait_healthy(server, health_timeout_s, cancelled)
    except BaseException:
        stop_server(engine, server)
        raise
    return server


def launch(engine: Engine, model: dict, work: Path, label: str, group: str, stream: str, environment: dict) -> Server:
    """Start the server's process, with its model at /opt/ml/model."""
    definition, role = image_and_data(engine, container_of(model)), model["ExecutionRoleArn"]
    folder = work / "ml"
    (folder / "model").mkdir(parents=True)
    image, port = engine.image(definition["Image"]), _free_port()
    _fetch_model(engine, definition, role, label, folder / "model")
    aws = {} if model.get("EnableNetworkIsolation") else engine.aws_environment(role, _session_name(label))
    logs = LogStream(engine.client("logs", role, _session_name(label)), group, stream)
    container = start(
        image.command("serve"),
        folder=folder,
        work=image.folder,
        on_line=logs.write,
        environment={
            **aws,
            **image.environment(),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            **definition.get("Environment", {}),
            **environment,
        },
    )
    engine.remember(container)
    return Server(container, port, logs, work)


def _fetch_model(engine: Engine, definition: dict, role: str, label: str, into: Path) -> None:
    source = definition.get("ModelDataSource", {}).get("S3DataSource")
    uri = definition.get("ModelDataUrl") or (source and source["S3Uri"])
    if not uri:
        return
    s3 = engine.client("s3", role, _session_name(label))
    if source and source["S3DataType"] == "S3Prefix" and source["CompressionType"] == "None":
        download(s3, uri, into, role_arn=role)
    else:
        download_archive(s3, uri, into)


def _wait_healthy(server: Server, timeout_s: float, cancelled) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not server.alive():
            raise JobFailed(
                f"The container exited with code {server.container.exit_code()} before it passed the ping "
                f"health check: {' | '.join(server.container.tail)[-600:]}"
            )
        if cancelled():
            raise JobFailed("The endpoint was deleted before the container passed the ping health check.")
        if ping(server.port):
            return
        time.sleep(0.05)
    raise JobFailed(
        f"The container did not pass the ping health check within {timeout_s:.0f} s. Please check the "
        f"logs: {' | '.join(server.container.tail)[-600:]}"
    )


def ping(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PING_TIMEOUT_S)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def post(server: Server, body: bytes, headers: dict, *, timeout_s: float) -> tuple[int, dict, bytes]:
    """Send POST /invocations over a kept connection; return status, headers (lower case) and body.

    A kept connection that the server has closed meanwhile is replaced once. Raises TimeoutError or OSError.
    """
    try:
        connection, kept = server.idle.get_nowait(), True
    except queue.Empty:
        connection, kept = http.client.HTTPConnection("127.0.0.1", server.port), False
    try:
        answer = exchange(connection, body, headers, timeout_s)
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        connection.close()
        if not kept:
            raise
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        answer = exchange(connection, body, headers, timeout_s)
    except (OSError, http.client.HTTPException):
        connection.close()
        raise
    server.idle.put(connection)
    return answer


def exchange(connection: http.client.HTTPConnection, body: bytes, headers: dict, timeout_s: float):
    connection.timeout = timeout_s
    if connection.sock:
        connection.sock.settimeout(timeout_s)
    connection.request("POST", "/invocations", body=body, headers=headers)
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def stop_server(engine: Engine, server: Server) -> None:
    server.container.stop(STOP_GRACE_S)
    while not server.idle.empty():
        server.idle.get().close()
    server.logs.close()
    engine.forget(server.container)
    shutil.rmtree(server.folder, ignore_errors=True)


def kill_server(server: Server) -> None:
    server.container.kill()
    try:
        server.container.wait(10)
    except subprocess.TimeoutExpired:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _session_name(label: str) -> str:
    return label.replace("/", "-")[-64:]
