"""The states in which requests of the last days are scored again: part of the Release flow, before a rollout."""

from dataclasses import dataclass
from typing import Any

from infra.parts.flow import caught, choice, invoke, jsonata
from infra.parts.function import Function
from infra.parts.jobs import Jobs, inputs, output

LONGEST_S = 3600  # with the waits before it within domain/release/state.py: REPLAYING
VOLUME_GB = 10
UNDO = (caught("Undo"),)


@dataclass(frozen=True)
class Replay:
    """What scores requests of the last days again, what sends some to the endpoints, and the functions around it."""

    plan: Function
    pace: Function | None
    judge: Function
    jobs: Jobs
    instance: str

    @property
    def functions(self) -> list[Function]:
        return [function for function in (self.plan, self.pace, self.judge) if function]


def replayed(replay: Replay, *, following: str) -> dict[str, Any]:
    """A replay and its judgement; a release that it stops ends here, without what was made for it."""
    paced = {"PaceReplay": _pace(replay.pace, Next="JudgeReplay")} if replay.pace else {}
    return {
        "PlanReplay": _plan(replay.plan, Next="IsReplayed"),
        "IsReplayed": choice(("$replay.why = ''", "Replay"), otherwise="JudgeReplay"),
        "Replay": _replay(replay.jobs, replay.instance, Next=next(iter(paced), "JudgeReplay")),
        **paced,
        "JudgeReplay": _judge(replay.judge, Next="MayGoOn"),
        "MayGoOn": choice(("$ended", "Undo"), otherwise=following),
    }


def _plan(plan: Function, **fields: Any) -> dict[str, Any]:
    asked = {
        "release": jsonata("$release"),
        "run": jsonata("$run"),
        "artefact_sha256": jsonata("$artefact_sha256"),
        "at": jsonata("$states.context.Execution.StartTime"),
    }
    return invoke(plan, asked, catch=UNDO, Assign={"replay": jsonata("$states.result.Payload")}, **fields)


def _replay(jobs: Jobs, instance: str, **fields: Any) -> dict[str, Any]:
    return jobs.processing(
        verb="replay",
        inputs=inputs(
            "$input('contract', 'contract', $replay.settings_uri, 'S3Prefix')",
            "$input('rows', 'rows', $replay.rows_manifest, 'ManifestFile')",
            "$input('champion', 'champion', $replay.champion_uri, 'S3Prefix')",
            "$input('release', 'release', $artefact, 'S3Prefix')",
        ),
        outputs=[output("replay", jsonata("$replay.output_uri")), output("paced", jsonata("$replay.paced_uri"))],
        instance=instance,
        volume_gb=VOLUME_GB,
        runtime_s=LONGEST_S,
        catch=UNDO,
        **fields,
    )


def _pace(pace: Function, **fields: Any) -> dict[str, Any]:
    asked = {"release": jsonata("$release"), "endpoint": jsonata("$endpoint"), "run": jsonata("$run")}
    return invoke(pace, asked, catch=UNDO, **fields)


def _judge(judge: Function, **fields: Any) -> dict[str, Any]:
    asked = {"release": jsonata("$release"), "run": jsonata("$run"), "why": jsonata("$replay.why")}
    answer = "$states.result.Payload"
    assign = {
        "ended": jsonata(f"$not({answer}.go_on)"),
        "error": {"Error": "replay", "Cause": jsonata(f"{answer}.reason")},
    }
    return invoke(judge, asked, catch=UNDO, Assign=assign, **fields)
