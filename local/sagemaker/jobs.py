"""The life of any job: its thread, stop requests, time limits, and the report of its end."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from local.sagemaker import resources
from local.sagemaker.container import Container, start
from local.sagemaker.engine import Engine
from local.sagemaker.errors import JobFailed, SageMakerError
from local.sagemaker.logs import LogStream

log = logging.getLogger("sagemaker")
STOP_GRACE_S = 120  # between SIGTERM and SIGKILL, as on SageMaker
DEFAULT_LIMIT_S = 86_400
FAILURE_CHARACTERS = 1024
BUSY = ("InProgress", "Stopping")


class Stopped(Exception):
    """Report that the job was asked to stop, or ran out of its time (`out_of_time`)."""

    def __init__(self, *, out_of_time: bool = False):
        super().__init__("out of time" if out_of_time else "stopped")
        self.out_of_time = out_of_time


def launch(engine: Engine, kind: str, record: dict, run: Callable[[threading.Event], None]) -> dict:
    """Run a job in its own thread; `run` returns when it is done, or raises Stopped or JobFailed."""
    arn = record[f"{kind}Arn"]
    stop = engine.jobs[arn] = threading.Event()
    threading.Thread(
        target=finish,
        args=(engine, kind, record[f"{kind}Name"], run, stop),
        daemon=True,
        name=f"sagemaker-{record[f'{kind}Name']}",
    ).start()
    return {f"{kind}Arn": arn}


def finish(engine: Engine, kind: str, name: str, run, stop: threading.Event) -> None:
    try:
        run(stop)
        end(engine, kind, name, "Completed")
    except Stopped as stopped:
        end(
            engine,
            kind,
            name,
            "Stopped",
            secondary="MaxRuntimeExceeded" if stopped.out_of_time else "Stopped",
            reason=None,
        )
    except JobFailed as failure:
        end(engine, kind, name, "Failed", reason=str(failure))
    except Exception as error:  # whatever it is, a job must not stay InProgress for ever
        log.exception("job %s", name)
        end(engine, kind, name, "Failed", reason=f"InternalServerError: {error}")
    finally:
        engine.jobs.pop(engine.arn(kind, name), None)


def end(engine: Engine, kind: str, name: str, status: str, *, secondary: str | None = None, reason: str | None = None):
    now = time.time()
    ended = f"{kind.removesuffix('Job')}EndTime"
    extra = {"FailureReason": reason[:FAILURE_CHARACTERS]} if reason else {}
    move(engine, kind, name, status=status, secondary=secondary or status, **{ended: now}, **extra)


def move(engine: Engine, kind: str, name: str, **changes) -> None:
    """Change a job's state (see `change`) and announce it."""
    record = change(engine, kind, name, **changes)
    if record:
        resources.announce(engine, kind, record)


def change(
    engine: Engine,
    kind: str,
    name: str,
    *,
    status: str | None = None,
    secondary: str | None = None,
    message: str = "",
    **members,
) -> dict:
    """Return the record after the change; training jobs also keep the list of their stages."""
    with engine.store.changed:
        record = engine.store.get(kind, name)
        if record is None:
            return {}
        members[f"{kind}Status"] = status = status or record[f"{kind}Status"]
        if kind != "TransformJob":
            members["LastModifiedTime"] = time.time()
        if kind == "TrainingJob" and secondary:
            stages = transitions(record, secondary, message, over=status not in BUSY)
            members |= {"SecondaryStatus": secondary, "SecondaryStatusTransitions": stages}
        return engine.store.update(kind, name, **members)


def transitions(record: dict, secondary: str, message: str, *, over: bool) -> list[dict]:
    now = time.time()
    past = [dict(stage) for stage in record.get("SecondaryStatusTransitions", [])]
    if past:
        past[-1].setdefault("EndTime", now)
    stage = {"Status": secondary, "StartTime": now, "StatusMessage": message or secondary}
    return [*past, {**stage, "EndTime": now} if over else stage]


def stop(engine: Engine, kind: str, request: dict) -> dict:
    """Stop a running job; a job that has ended does not change, as on SageMaker."""
    name = request[f"{kind}Name"]
    with engine.store.changed:  # so that it does not end between the check and the change
        if resources.need(engine, kind, name)[f"{kind}Status"] != "InProgress":
            return {}
        record = change(engine, kind, name, status="Stopping", secondary="Stopping", message="Stopping the job")
    resources.announce(engine, kind, record)
    running = engine.jobs.get(record[f"{kind}Arn"])
    if running:
        running.set()
    return {}


def delete(engine: Engine, kind: str, request: dict) -> dict:
    name = request[f"{kind}Name"]
    if resources.need(engine, kind, name)[f"{kind}Status"] in BUSY:
        raise SageMakerError("ResourceInUse", f"Job {name} is still running. Stop it first.")
    return resources.delete(engine, kind, request)


def run_containers(
    engine: Engine,
    starts: list[Callable[[], Container]],
    *,
    limit_s: float,
    stop: threading.Event,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[tuple[Container, int]]:
    """Run one container per instance until all have ended; one that fails ends the others, as on SageMaker."""
    deadline = time.monotonic() + limit_s
    containers: list[Container] = []
    try:
        for begin in starts:
            containers.append(begin())
            engine.remember(containers[-1])
        while True:
            codes = [container.exit_code() for container in containers]
            if all(code is not None for code in codes) or any(codes):
                break
            if stop.is_set() or time.monotonic() > deadline:
                raise Stopped(out_of_time=not stop.is_set())
            meanwhile()
            stop.wait(0.05)
        failed = [container for container, code in zip(containers, codes, strict=True) if code]
        return [(container, container.wait()) for container in failed or containers]
    finally:
        _stop_all(engine, containers)


def limit_s(record: dict) -> float:
    return record.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_LIMIT_S)


def every(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Return a function that may be called at any rate, and acts once in so many seconds."""
    due = [time.monotonic() + seconds]

    def act_when_due() -> None:
        if time.monotonic() >= due[0]:
            action()
            due[0] = time.monotonic() + seconds

    return act_when_due


def _stop_all(engine: Engine, containers: list[Container]) -> None:
    for container in containers:
        container.terminate()
    deadline = time.monotonic() + STOP_GRACE_S
    for container in containers:
        try:
            container.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            container.kill()
            container.wait(10)
        engine.forget(container)


def logged(
    engine: Engine,
    command: list[str],
    *,
    folder: Path,
    work: Path,
    environment: dict,
    logs: LogStream,
    also: Callable[[str], None] = lambda line: None,
) -> Container:
    def on_line(line: str) -> None:
        logs.write(line)
        also(line)

    return start(command, folder=folder, work=work, environment=environment, on_line=on_line)


def fail_interrupted(engine: Engine, kinds: tuple[str, ...]) -> None:
    """Fail jobs that were running before a restart, which lost their processes."""
    for kind in kinds:
        for record in engine.store.all(kind):
            if record[f"{kind}Status"] in BUSY:
                end(
                    engine,
                    kind,
                    record[f"{kind}Name"],
                    "Failed",
                    reason="InternalServerError: the local AWS stopped while this job was running. Start it again.",
                )
