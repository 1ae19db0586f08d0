"""Step Functions executions: started once, found again by name, followed to their end."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from fairway.stage.aws import Stage
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress

LOCAL_POLL_S, AWS_POLL_S = 0.3, 3.0


def running(states: Any, machine: str) -> Iterator[dict]:
    """Return the running executions of a state machine: {arn, name, status, started, input}."""
    for page in states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING"):
        for execution in page["executions"]:
            yield _described(states, execution["executionArn"])


def latest(states: Any, machine: str, *, most: int = 20) -> Iterator[dict]:
    """Return the newest executions, whatever their status."""
    listed = states.list_executions(stateMachineArn=machine, maxResults=most)["executions"]
    for execution in sorted(listed, key=lambda one: one["startDate"], reverse=True):
        yield _described(states, execution["executionArn"])


def _described(states: Any, arn: str) -> dict:
    description = states.describe_execution(executionArn=arn)
    return {
        "arn": arn,
        "name": description["name"],
        "status": description["status"],
        "started": description["startDate"],
        "input": json.loads(description.get("input") or "{}"),
    }


def start(states: Any, machine: str, *, name: str, values: dict) -> str:
    """Start an execution and return its ARN; the same name and input while it runs are the same execution."""
    return states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(values))["executionArn"]


def unique(name: str) -> str:
    """Return a name for another execution of the same thing: AWS accepts a name only once in 90 days."""
    return f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"


def poll_s(stage: Stage) -> float:
    return LOCAL_POLL_S if stage.is_local else AWS_POLL_S


def follow(stage: Stage, arn: str, *, progress: Progress, until: Callable[[], bool] = lambda: False) -> None:
    """Report each state as it is entered; return when the execution has succeeded or `until` holds. Raises Failed."""
    states = stage.client("stepfunctions")
    history, since = _History(states, arn), time.monotonic()
    while True:
        execution = states.describe_execution(executionArn=arn)
        for name in history.new():
            progress(_in_words(name))
            since = time.monotonic()
        progress.detail(f"for {time.monotonic() - since:.0f} s")
        if execution["status"] == "SUCCEEDED" or until():
            return
        if execution["status"] != "RUNNING":
            raise _failed(execution, history.failing or history.current)
        time.sleep(poll_s(stage))


class _History:
    """The states that an execution entered, and the last one in which something failed."""

    def __init__(self, states: Any, arn: str) -> None:
        self.states, self.arn = states, arn
        self.told: set[str] = set()
        self.current = "the start"
        self.failing: str | None = None

    def new(self) -> Iterator[str]:
        """Return names of the states entered since the last call, each once."""
        pages = self.states.get_paginator("get_execution_history").paginate(
            executionArn=self.arn, includeExecutionData=False
        )
        for event in (event for page in pages for event in page["events"]):
            if event["type"].endswith(("Failed", "TimedOut")) and not event["type"].startswith("Execution"):
                self.failing = self.current
            name = event.get("stateEnteredEventDetails", {}).get("name")
            if name:
                self.current = name
            if name and name not in self.told and event["type"] != "ChoiceStateEntered":  # a choice takes no time
                self.told.add(name)
                yield name


def _in_words(name: str) -> str:
    """Write CreateModelPackage as Create model package; a name that is already a sentence stays."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize() if " " not in name else name


def _failed(execution: dict, state: str) -> Failed:
    error, cause = execution.get("error") or execution["status"].lower(), _reason(execution.get("cause"))
    return Failed("run_failed", f"{execution['name']} failed in {state}: {error}{': ' + cause if cause else ''}")


def _reason(cause: str | None) -> str:
    """Return the sentence in a cause: Lambda and SageMaker wrap theirs in JSON."""
    if not cause:
        return ""
    try:
        values = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(values, dict):
        return cause
    for key in ("errorMessage", "FailureReason", "Cause", "message"):
        if values.get(key):
            return _reason(str(values[key]))
    for kind in ("ProcessingJob", "TrainingJob"):  # SageMaker gives no reason for a stopped job
        if f"{kind}Status" in values:
            return f"the job {values[f'{kind}Name']} ended as {values[f'{kind}Status']}"
    return cause
