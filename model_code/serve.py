"""serve: one verified artefact behind SageMaker's hosting contract and the Open Inference Protocol.

It listens only after the golden rows were answered as in training. The path of a request: `connection.py` reads it,
`server.py` admits it and chooses its thread, `service.py` answers it.
"""

import math
import os
import socket
import time
from collections.abc import Callable

from model_code import paths
from model_code.answers.golden import prove_golden
from model_code.artefact.folder import Artefact, open_artefact
from model_code.http.listening import listening_sockets
from model_code.http.request_log import RequestLog, log
from model_code.http.server import Answerer, Server
from model_code.http.service import Service
from model_code.http.workers import run_workers, stops_blocked
from model_code.settings import JobRefused

_MOST_AT_ONCE = 64  # POSTs under way in one worker; one more gets 429
_DEADLINE_SECONDS = 50  # SageMaker gives up after 60
DRAIN_SECONDS = 25  # SageMaker kills 30 s after SIGTERM
_MOST_WORKERS = 8


def main() -> None:
    # before any library starts a thread: a thread that does not block SIGTERM would take it and end the process
    with stops_blocked():
        _serve(started=time.perf_counter())


def _serve(*, started: float) -> None:
    artefact = open_artefact(paths.model(), expected=os.environ.get("ARTEFACT_SHA256"))
    golden = prove_golden(artefact)
    run = runner(Service(artefact, name=os.environ.get("MODEL_NAME") or artefact.contract.name))
    port = int(_number("SAGEMAKER_BIND_TO_PORT", 8080, least=1, most=65_535))
    sockets = listening_sockets(os.environ.get("BIND_HOST", "0.0.0.0"), port, _workers())
    _give_up_root()
    _log_ready(artefact, golden_rows=golden, workers=len(sockets), ms=round((time.perf_counter() - started) * 1000, 3))
    run_workers(sockets, run)


def _log_ready(artefact: Artefact, **more: float) -> None:
    log(event="ready", engine=artefact.scorer.engine, artefact_sha256=artefact.sha256, **more)


def _workers() -> int:
    """Return the number of workers; SageMaker names the setting."""
    return min(int(_number("SAGEMAKER_MODEL_SERVER_WORKERS", 1, least=1, most=1000)), _MOST_WORKERS)


def _number(name: str, default: float, *, least: float, most: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise JobRefused(f"{name} = {text!r}: must be a number from {least:,} to {most:,}")
    return value


def runner(service: Answerer) -> Callable[[socket.socket], None]:
    """Return a worker's function of its socket; its imports happen before root is given up and before the fork."""
    import uvloop  # lazy: this module is also imported for its limits, without a server

    server = Server(
        service,
        RequestLog(),
        most_at_once=int(_number("MAX_CONCURRENT_REQUESTS", _MOST_AT_ONCE, least=1, most=10_000)),
        deadline_s=_number("REQUEST_DEADLINE_SECONDS", _DEADLINE_SECONDS, least=0.001, most=3600),
    )
    parent = os.getpid()

    def run(sock: socket.socket) -> None:
        forked_from = parent if os.getpid() != parent else None
        uvloop.run(server.run(sock, drain_seconds=DRAIN_SECONDS, parent=forked_from))

    return run


def _give_up_root() -> None:
    """Become SERVE_AS_UID, which the image sets: SageMaker starts every container as root, which scoring does
    not need.
    """
    uid = int(os.environ.get("SERVE_AS_UID", "0"))
    if uid and os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
