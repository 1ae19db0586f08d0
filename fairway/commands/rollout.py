"""`fairway rollout status|pause|resume|abort`: show and control a release on its way to champion."""

import math
from pathlib import Path
from typing import Annotated

import typer

from domain.release.harm import Weighed, in_digits
from domain.release.looks import Look
from domain.release.replay import in_words
from domain.release.rollout import Rollout, State, percent
from fairway.stage import rollouts
from fairway.stage.aws import Stage
from fairway.stage.settings import connected, connected_whatever
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.drawn import tenths
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show, hold or end the rollout of a release on its way to champion.",
)
app.add_typer(group, name="rollout")
LARGEST = 700.0  # logarithm of the largest e-value that a float holds


@group.command("status", epilog="Example: fairway rollout status --stage prod")
def status_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """What its replay found, which share the release answers or is asked about, why, and what is counted so far."""
    run(lambda progress: status(project, stage, progress=progress), json=json, project=project, stage=stage)


@group.command("pause", epilog="Example: fairway rollout pause")
def pause_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """Hold the share where it is; a harmful release is still rolled back."""
    run(lambda progress: pause(project, stage, progress=progress), json=json, project=project, stage=stage)


@group.command("resume", epilog="Example: fairway rollout resume")
def resume_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """Continue a paused rollout."""
    run(lambda progress: resume(project, stage, progress=progress), json=json, project=project, stage=stage)


@group.command("abort", epilog="Example: fairway rollout abort")
def abort_command(
    release: Annotated[
        str | None,
        typer.Argument(help="A release that waits for its turn. Default: the canary.", metavar="RELEASE"),
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Let the champion answer everything again with one write; or end a release that waits for its turn."""
    run(lambda progress: abort(project, stage, release, progress=progress), json=json, project=project, stage=stage)


def status(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    turns = rollouts.turns_of(stage)
    current, waiting = turns["current"], turns["waiting"]
    weighed = rollouts.evidence_of(stage, current) if current else []
    replayed = rollouts.newest_replay(stage)
    values = {
        "stage": stage_name,
        "rollout": current,
        "waiting": waiting["release"] if waiting else None,
        "evidence": evidence_as_json(weighed),
        "replay": {"release": replayed["release"], **replayed["replay"]} if replayed else None,
    }
    lines = _lines(current, weighed) if current else ["there was no rollout yet"]
    lines += [f"{waiting['release']} waits for its turn"] if waiting else []
    lines += (
        ["", f"{replayed['release']}, {replayed['replay']['at']}", *in_words(replayed["replay"])] if replayed else []
    )
    return Done(values, lines, "`fairway rollout abort` lets the champion answer everybody again")


def pause(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected(folder, stage_name, progress)
    changed = rollouts.again(lambda: _paused(stage))
    return _done(stage_name, changed, f"{_where(changed)}, and stays there", "`fairway rollout resume` continues it")


def _paused(stage: Stage) -> Rollout:
    turns = rollouts.turns_of(stage)
    if rollouts.under_way(turns)["paused"]:
        raise Refused("paused", "the rollout is paused already; continue it with `fairway rollout resume`")
    return rollouts.change(stage, turns, paused="paused by hand")


def resume(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected(folder, stage_name, progress)
    changed = rollouts.again(lambda: _resumed(stage))
    return _done(
        stage_name, changed, f"{_where(changed)}, and continues", "`fairway rollout status` shows how far it is"
    )


def _resumed(stage: Stage) -> Rollout:
    turns = rollouts.turns_of(stage)
    if not rollouts.under_way(turns)["paused"]:
        raise Refused("not_paused", "the rollout is not paused; `fairway rollout status` shows its state")
    return rollouts.change(stage, turns, paused="")


def abort(folder: Path, stage_name: str, release: str | None = None, *, progress: Progress) -> Done:
    """End the canary, or the waiting release if it is named. Refused for any other."""
    stage = connected_whatever(folder, stage_name, progress)
    following = "`fairway promote RELEASE` begins again"
    ended = rollouts.again(lambda: _aborted(stage, release))
    if ended is None:
        return Done({"stage": stage_name, "release": release}, [f"{release} no longer waits"], following)
    rollouts.take_back(stage, ended)
    return _done(
        stage_name, ended, f"{ended['release']} answers nothing; {ended['champion']} answers everything", following
    )


def _aborted(stage: Stage, release: str | None) -> Rollout | None:
    """Return the rollout as it ended; None where the release was waiting for its turn."""
    turns = rollouts.turns_of(stage)
    if release and turns["waiting"] and turns["waiting"]["release"] == release:
        rollouts.abort_waiting(stage, turns)
        return None
    if release and rollouts.under_way(turns)["release"] != release:
        raise Refused(
            "release",
            f"RELEASE = {release!r}: must be the canary or the release that waits; see `fairway rollout status`",
        )
    return rollouts.abort(stage, turns)


def _done(stage_name: str, rollout: Rollout, line: str, following: str) -> Done:
    return Done({"stage": stage_name, "rollout": rollout}, [line], following)


def _where(rollout: Rollout) -> str:
    if rollout["state"] == State.SHADOW:
        return (
            f"{rollout['release']} is asked about {percent(rollout['share'])} after {rollout['champion']} has answered"
        )
    return f"{rollout['release']} answers {percent(rollout['share'])} beside {rollout['champion']}"


def _lines(rollout: Rollout, weighed: list[Weighed]) -> list[str]:
    head = f"{rollout['release']}: {rollout['state']}, {percent(rollout['share'])} beside {rollout['champion']}"
    decisions = [(one["at"], one["state"], percent(one["share"]), one["why"]) for one in rollout["decisions"]]
    return [
        f"{head}, since {rollout['step_since']}",
        rollout["why"],
        "",
        *evidence_lines(weighed, rollout["looks"]),
        "",
        *table(decisions, ("when", "state", "share", "why")),
    ]


def evidence_lines(weighed: list[Weighed], looks: list[Look]) -> list[str]:
    """Set out the evidence of harm, now and at the looks before: digits are tenths of the way to the boundary."""
    rows = [
        (
            one.rule,
            in_digits(one.log_e),
            in_digits(one.boundary),
            tenths([look["evidence"].get(one.rule, 0.0) for look in looks], one.boundary) or "-",
            one.counts,
        )
        for one in weighed
    ]
    return table(rows, ("rule", "e-value", "back from", "over time, # is the boundary", "counted"))


def evidence_as_json(weighed: list[Weighed]) -> list[dict]:
    return [_as_json(one) for one in weighed]


def _as_json(one: Weighed) -> dict:
    e_value, boundary = (math.exp(min(log, LARGEST)) for log in (one.log_e, one.boundary))
    return {"rule": one.rule, "e_value": e_value, "boundary": boundary, "holds": one.holds, "counts": one.counts}
