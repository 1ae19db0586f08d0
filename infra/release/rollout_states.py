"""The states in which a release earns its traffic, or is compared: a look, a wait that costs nothing, the next look.

An execution holds 25,000 events, so a long step is looked at less and less often (domain/release/rollout.py: wait_s).
"""

from typing import Any

from domain.release.routing import FRESH_S
from infra.parts.flow import again, caught, choice, invoke, jsonata
from infra.parts.function import Function

LET_GO_S = int(2 * FRESH_S)  # until every function has read that the canary no longer answers


def rollout(advance: Function) -> dict[str, Any]:
    """Return the states of a rollout: look until the release is champion or has ended; on a failure give its share back
    first.
    """
    return {
        "Advance": _look(advance, failed=None, catch=(caught("StepBack"),), Next="WhereTo"),
        "WhereTo": choice(("$next = 'wait'", "WaitToLook"), ("$next = 'promote'", "Promote"), otherwise="LetGo"),
        "WaitToLook": {"Type": "Wait", "Seconds": jsonata("$seconds"), "Next": "Advance"},
        "LetGo": {"Type": "Wait", "Seconds": LET_GO_S, "Next": "Undo"},
        # If this fails too, the endpoint stays, as it may still get requests, and an alarm reports it.
        "StepBack": _look(
            advance,
            failed=jsonata("$error.Error & ': ' & $error.Cause"),
            catch=({"ErrorEquals": ["States.ALL"], "Next": "RecordFailure"},),
            Next="WhereTo",
        ),
    }


def _look(advance: Function, *, failed: str | None, **fields: Any) -> dict[str, Any]:
    asked = {
        "rollout": jsonata("$release & '/' & $states.context.Execution.StartTime"),
        "release": jsonata("$release"),
        "endpoint": jsonata("$endpoint"),
        "asked_at": jsonata("$states.context.Execution.StartTime"),
        "experiment": jsonata("$experiment"),
        **({"failed": failed} if failed else {}),
    }
    answer = "$states.result.Payload"
    assign = {
        "next": jsonata(f"{answer}.next"),
        "seconds": jsonata(f"{answer}.seconds"),
        "ended": jsonata(f"{answer}.next = 'end'"),
        "error": {"Error": jsonata(f"{answer}.state"), "Cause": jsonata(f"{answer}.reason")},
    }
    patient = (again(["RoutingChanged"], seconds=1, times=6),)
    return invoke(advance, asked, retry=patient, Assign=assign, **fields)
