"""`fairway releases`, `fairway promote` and `fairway rollback`: list releases, and change which of them answers."""

from pathlib import Path
from typing import Annotated

import typer

from domain.release import routing as rules
from domain.release.replay import in_words
from domain.release.routing import Champion
from domain.release.state import ReleaseState
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.change import refuse_unanswered
from fairway.stage.deployment import WHEN
from fairway.stage.promotion import bring_up, go_back, is_up, mark, repair
from fairway.stage.settings import connected, connected_whatever
from fairway.stage.standing import standing
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

# Values of a release's item that `releases` prints.
KEPT = (
    "run",
    "candidate",
    "as_of",
    "metrics",
    "newest",
    "artefact_sha256",
    "reason",
    "why",
    "answers",
    "decisions",
    "replay",
    "created_at",
)

app = typer.Typer(rich_markup_mode=None)

Breaking = Annotated[
    bool,
    typer.Option(
        "--breaking",
        help="Also accept a release that the deployed contract breaks; the fallback answers what it cannot.",
    ),
]


@app.command("releases", epilog="Example: fairway releases   or: fairway releases r-20130401-1a2b3c4d")
def releases_command(
    release: Annotated[
        str | None, typer.Argument(help="One release, with its answers and its judgement in words.", metavar="RELEASE")
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """List every release with state, quality and reason; or show one with precision, recall and counts."""
    run(lambda progress: releases(project, stage, release, progress=progress), json=json, project=project, stage=stage)


@app.command("promote", epilog="Example: fairway promote r-20130401-1a2b3c4d")
def promote_command(
    release: Annotated[
        str, typer.Argument(help="Name of a release, as listed by `fairway releases`.", metavar="RELEASE")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Also accept a release that was rolled back by its evidence.")
    ] = False,
    project: Project = HERE,
    stage: StageName = "local",
    breaking: Breaking = False,
    json: Json = False,
) -> None:
    """Make a release the champion: approve it if it waits for that, deploy and try it if it is not up.

    The champion is deployed again if its endpoint is missing.
    """
    run(
        lambda progress: promote(project, stage, release, breaking=breaking, again=again, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command("rollback", epilog="Example: fairway rollback")
def rollback_command(
    project: Project = HERE, stage: StageName = "local", breaking: Breaking = False, json: Json = False
) -> None:
    """Let the previous champion answer again."""
    run(
        lambda progress: rollback(project, stage, breaking=breaking, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def releases(folder: Path, stage_name: str, release: str | None = None, *, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    found, routing = records.releases(stage), records.routing(stage)
    champion = routing["champion"]
    item = next((one for one in found if champion and one["release"] == champion["release"]), None)
    now = standing(stage, item) if item else None
    roles = records.with_roles(found, routing)
    listed = [{**role, **{key: item.get(key) for key in KEPT}} for role, item in zip(roles, found, strict=True)]
    shown = listed if release is None else [one for one in listed if one["release"] == release]
    if release is not None and not shown:
        raise _no_release(release)
    values = {"stage": stage_name, "quality": now.as_json() if now else None, "releases": shown}
    lines = _in_words(shown[0]) if release else _table(listed, stage.config.benchmarks.metric)
    about = now if now and release in (None, now.release) else None
    return Done(
        values, [*(about.lines() if about else []), *lines], _next_step(listed), about.alarms() if about else []
    )


def _no_release(release: str) -> Refused:
    return Refused("no_release", f"release = {release!r}: must be a release; `fairway releases` lists them")


def _in_words(one: dict) -> list[str]:
    role = f", {one['role']}" if one["role"] and one["role"] != one["state"] else ""
    told = {"judged": one["reason"], "why": one["why"], "answers": one["answers"]}
    return [
        f"{one['release']}: {one['state']}{role}, {one['candidate']} of {one['run']}",
        *(f"{name}: {text}" for name, text in told.items() if text),
        *(in_words(one["replay"]) if one["replay"] else []),
    ]


def _table(listed: list[dict], metric: str) -> list[str]:
    if not listed:
        return ["no release yet"]
    rows = [
        (
            one["release"],
            one["state"],
            one["role"] or "-",
            _figure(one["metrics"], metric),
            _figure((one["newest"] or {}).get("metrics"), metric),
            one["reason"],
        )
        for one in listed
    ]
    return table(rows, ("release", "state", "role", metric, "newest", "why"))


def _figure(metrics: dict | None, metric: str) -> str:
    return f"{metrics[metric]:.4f}" if metrics and metric in metrics else "-"


def _next_step(found: list[dict]) -> str:
    if not found:
        return "`fairway train` makes the first release"
    if any(one["role"] != "champion" and one["state"] != "rejected" for one in found):
        return "`fairway promote RELEASE` lets another one answer"
    return "`fairway load FILE...` and `fairway train` may give a better one"


def promote(
    folder: Path, stage_name: str, release: str, *, breaking: bool = False, again: bool = False, progress: Progress
) -> Done:
    """Let the release answer.

    Refused for one that the deployed contract breaks, unless `breaking`, and for one that its evidence rolled back,
    unless `again`.
    """
    stage = connected(folder, stage_name, progress)
    item = records.release(stage, release)
    if item is None:
        raise _no_release(release)
    if item["state"] == "rejected":
        raise Refused(
            "rejected", f"release {release!r} was rejected and is not released: {item['reason']}; train again"
        )
    taken_back = item["state"] == ReleaseState.ROLLED_BACK
    if taken_back and not again:
        why = f"release {release!r} was rolled back: {item.get('failure')}"
        raise Refused("rolled_back", f"{why}; `fairway train` makes another, or --again lets it answer all the same")
    if item["state"] == ReleaseState.CHALLENGER:
        why = f"release {release!r} is the challenger of an experiment"
        raise Refused("experiment", f"{why}; `fairway experiment stop --promote` ends that and makes it champion")
    before = records.routing(stage)["champion"]
    if before is None or before["release"] != release or "threshold" in before:
        command = f"fairway promote {release}"
        refuse_unanswered(stage, item, confirmed=breaking, command=command, progress=progress)
        if taken_back:
            mark(stage, release, state=ReleaseState.APPROVED)
        if not bring_up(stage, item, progress=progress):
            return _on_its_way(stage, before, release)
    elif is_up(stage, item):
        raise Refused("routing", f"release {release!r} is the champion already; nothing to do")
    else:
        repair(stage, item, progress=progress)
    return _settled(stage, before, f"{release} is champion: {WHEN}", "`fairway rollback` takes it back")


def _on_its_way(stage: Stage, champion: Champion | None, release: str) -> Done:
    values = {
        "stage": stage.config.stage,
        "champion": champion["release"] if champion else None,
        "previous": None,
        "reason": f"{release} has begun its rollout",
    }
    following = "`fairway rollout status` shows its share, and the evidence for and against it"
    return Done(values, [f"{release} is canary: {WHEN}"], following)


def rollback(folder: Path, stage_name: str, *, breaking: bool = False, progress: Progress) -> Done:
    """Let the previous champion answer. Refused for one that the deployed contract breaks, unless `breaking`."""
    stage = connected_whatever(folder, stage_name, progress)
    routing = records.routing(stage)
    before = routing["champion"]
    rules.rollback(routing, at="", reason="")  # refuses here if there is no earlier champion
    if item := records.release(stage, routing["previous"][0]["release"]):
        refuse_unanswered(stage, item, confirmed=breaking, command="fairway rollback", progress=progress)
    release = go_back(stage, routing, reason="rolled back by hand", progress=progress)
    return _settled(
        stage, before, f"{release} is champion again: {WHEN}", "`fairway status` shows which release answers"
    )


def _settled(stage: Stage, before: Champion | None, said: str, following: str) -> Done:
    """Mark the releases as the routing now has them, and report it."""
    routing = records.routing(stage)
    champion = routing["champion"]
    assert champion is not None, "it was promoted just now"
    mark(stage, champion["release"], state="champion", promoted_at=champion["since"])
    if before and before["release"] != champion["release"]:
        mark(stage, before["release"], state="previous")
    values = {
        "stage": stage.config.stage,
        "champion": champion["release"],
        "previous": before["release"] if before else None,
        "reason": routing["reason"],
    }
    return Done(values, [said], following)
