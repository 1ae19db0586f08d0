"""`fairway forget`: remove an entity's data from every place, and name what cannot be removed.

It may be killed and run again: each place is searched anew, and what is already removed stays removed.
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.stage import executions
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

if TYPE_CHECKING:  # they import Arrow, which help must not load
    from fairway.forget.learnt import Learnt
    from fairway.forget.place import Removed

RECOVERY_DAYS = 35  # of DynamoDB's point-in-time recovery
STREAM_HOURS = 24  # that an answer may need to reach the lake
HEADS = ("place", "rows", "files rewritten", "old versions deleted")
MOST_NAMED = 20

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "forget",
    epilog="Example: fairway forget UA1545-2013-01-01T10:15 --dry-run. ENTITY is the entity_id of its answers: the "
    "contract's key, several columns joined by |. What is removed cannot be restored.",
)
def forget_command(
    entity: Annotated[str, typer.Argument(help="The entity_id of its answers.", metavar="ENTITY")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation; required in scripts.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Remove an entity's data from tables, lake, batches and quarantine, including old versions. Safe to repeat."""
    run(
        lambda progress: forget(project, stage, entity, really=not dry_run, sure=yes, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def forget(folder: Path, stage_name: str, word: str, *, really: bool, sure: bool, progress: Progress) -> Done:
    """Remove the entity's data, or count it if `really` is False.

    Refused, before anything is changed, for an id that the contract's key cannot make.
    """
    from fairway.forget.entity import entity_named  # lazy: forget's modules import Arrow, which help must not load
    from fairway.forget.learnt import Learners  # lazy: the same
    from fairway.forget.place import Task  # lazy: the same
    from fairway.forget.places import PLACES  # lazy: the same

    stage = connected(folder, stage_name, progress)
    entity = entity_named(word, stage.contract)
    if really:
        _confirm(f"everything that stage {stage_name!r} stores about {word!r}", sure=sure)
        _refuse_during_runs(stage)
    learners = Learners(stage, entity, really=really)
    task = Task(stage, entity, really, learners.add, progress.detail)
    removed: list[Removed] = []
    for name, place in PLACES.items():
        progress(f"{'Removing from' if really else 'Looking into'} {name}")
        removed += place(task)
    counted, releases = _by_place(removed), learners.releases()
    if really and not any(one.not_read for one in counted):
        learners.close()
    return _told(word, counted, releases, really=really)


def _confirm(what: str, *, sure: bool) -> None:
    if sure:
        return
    if not sys.stdin.isatty():
        raise Refused("not_confirmed", f"{what} would be removed forever; confirm with --yes, or count with --dry-run")
    print(f"{what} will be removed forever. Continue? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("not_confirmed", "nothing was removed")


def _refuse_during_runs(stage: Stage) -> None:
    """Refuse while a run is in progress: its jobs hold rows, and may write the entity's after they were removed."""
    for flow in ("train", "batch"):
        machine = stage.addresses.get(flow)
        under_way = next(executions.running(stage.client("stepfunctions"), machine), None) if machine else None
        if under_way:
            name = under_way["input"].get("run", under_way["name"])
            raise Failed("under_way", f"{name} is in progress and holds rows; run this again when it has ended")


def _by_place(removed: "list[Removed]") -> "list[Removed]":
    """Add up what was removed, by place, in order."""
    by_place: dict[str, list[Removed]] = defaultdict(list)
    for one in removed:
        by_place[one.place].append(one)
    return [_sum(some) for some in by_place.values()]


def _sum(some: "list[Removed]") -> "Removed":
    return some[0]._replace(
        rows=sum(one.rows for one in some),
        files=sum(one.files for one in some),
        old_versions=sum(one.old_versions for one in some),
        not_read=tuple(each for one in some for each in one.not_read),
    )


def _told(word: str, counted: "list[Removed]", releases: "list[Learnt]", *, really: bool) -> Done:
    not_read = [each for one in counted for each in one.not_read]
    values: dict[str, Any] = {
        "entity": word,
        "dry_run": not really,
        "places": [{**one._asdict(), "not_read": [each._asdict() for each in one.not_read]} for one in counted],
        "not_removed": {"releases": releases, "recovery_days": RECOVERY_DAYS, "stream_hours": STREAM_HOURS},
    }
    lines = table([(one.place, f"{one.rows:,}", one.files, one.old_versions) for one in counted], HEADS)
    lines += _not_removed(releases)
    alarms = [f"not searched: {each.key}: {each.reason}" for each in not_read[:MOST_NAMED]]
    alarms += [f"and {len(not_read) - MOST_NAMED:,} more" for _ in not_read[MOST_NAMED : MOST_NAMED + 1]]
    following = (
        "`fairway train` trains a model without these rows"
        if releases
        else "`fairway status` shows which release answers"
    )
    if not really:
        following = "nothing was removed; run the command without --dry-run to remove it"
    return Done(values, lines, following, alarms=alarms, exit_code=1 if not_read else 0)


def _not_removed(releases: "list[Learnt]") -> list[str]:
    """Describe what stays, and for how long."""
    learnt = [f"{one['release']} ({one['run']}, {one['state']})" for one in releases]
    models = (
        f"stays: what these releases learned: {', '.join(learnt)}" if learnt else "no release was trained on its rows"
    )
    backups = f"stays: backups of the tables, which reach back {RECOVERY_DAYS} days"
    stream = (
        f"answers of the last {STREAM_HOURS} hours may still reach the lake; the same command then removes them too"
    )
    return [models, backups, stream]
