"""Watch a release until it answers, as champion or as a canary: the Release state machine, and the routing."""

import time

from domain.release.routing import FRESH_S
from domain.release.state import ReleaseState
from fairway.stage import executions, records
from fairway.stage.aws import Stage
from fairway.terminal.errors import Failed, Interrupted
from fairway.terminal.progress import Progress

BEGINS_WITHIN_S = 120  # EventBridge delivers an approval in seconds; after this time it was lost
WHEN = f"it answers within {FRESH_S:.0f} s, as each function reads the routing anew"


def wait_until_it_answers(stage: Stage, release: str, *, execution: str | None = None, progress: Progress) -> bool:
    """Return once the release is champion, True, or has begun its rollout, False, which takes hours or days.

    Raises Failed if its deployment failed or never began. `execution` is the deployment's ARN; without it, it is the
    one that the approval in the Model Registry starts.
    """
    progress(f"Releasing {release}")
    try:
        while not _has_arrived(stage, release):
            arn = execution or _deployment_of(stage, release)
            # The deployment itself continues: it waits to retire the previous champion.
            executions.follow(stage, arn, progress=progress, until=lambda: _has_arrived(stage, release))
            if not _has_arrived(stage, release):
                _raise_unless_deploying(stage, release)
                time.sleep(executions.poll_s(stage))
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped watching; the deployment of {release} continues; `fairway status` shows when it answers"
        ) from None
    return _is_champion(stage, release)


def _raise_unless_deploying(stage: Stage, release: str) -> None:
    """A deployment ends at once where another one is at the same release already: AWS sends some events twice."""
    item = records.release(stage, release) or {}
    if item.get("state") != ReleaseState.DEPLOYING:
        ended = f"the deployment of {release} ended with the release {item.get('state')}"
        why = f": {item['failure']}" if item.get("failure") else ""
        raise Failed("not_released", f"{ended}{why}; `fairway rollout status` shows what it went through")


def _has_arrived(stage: Stage, release: str) -> bool:
    item = records.release(stage, release) or {}
    return _is_champion(stage, release) or item.get("state") == ReleaseState.CANARY


def _is_champion(stage: Stage, release: str) -> bool:
    champion = records.routing(stage)["champion"]
    return champion is not None and champion["release"] == release


def _deployment_of(stage: Stage, release: str) -> str:
    """Return the ARN of the deployment that the approval of the release's model package starts."""
    package = model_package(stage, release)
    states = stage.client("stepfunctions")
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while time.monotonic() < deadline:
        for found in executions.latest(states, stage.addresses["release"]):
            if found["input"].get("model_package_arn") == package:
                return found["arn"]
        time.sleep(executions.poll_s(stage))
    raise Failed(
        "not_released",
        f"release {release} is approved, but no deployment began within {BEGINS_WITHIN_S} s; "
        f"`fairway promote {release}` begins one",
    )


def model_package(stage: Stage, release: str) -> str:
    """Return the ARN of the release in the Model Registry, as recorded by its training run."""
    run = (records.release(stage, release) or {}).get("run")
    package = (records.run(stage, "train", run) or {}).get("model_package_arn") if run else None
    if not package:
        raise Failed(
            "not_registered", f"release {release} of run {run} has no model package in the registry; train again"
        )
    return package
