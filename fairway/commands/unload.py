"""`fairway unload`: remove loaded rows from the lake.

A load's record is removed first, so that its rows no longer count; then its parts are deleted. If the command is killed
in between, it continues from the note that the record left.
"""

from pathlib import Path
from typing import Annotated

import typer

from domain.runs import LoadItem, RunKind
from fairway.stage import executions, loads, records
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "unload",
    epilog="Example: fairway unload data/2013-01.csv   or: fairway unload 0f3a5c7e9b1d2f40. Rows of older loads that "
    "the unloaded ones had replaced count again.",
)
def unload_command(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A loaded file (compared by content), its name, or the id of its load.", metavar="FILE|LOAD..."
        ),
    ],
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Remove loaded rows from the lake. Safe to repeat; models trained on them stay until the next training."""
    run(lambda progress: unload(project, stage, what, progress=progress), json=json, project=project, stage=stage)


def unload(folder: Path, stage_name: str, words: list[str], *, progress: Progress) -> Done:
    """Remove the named loads. Refused, before anything is changed, if a word names none or several."""
    stage = connected(folder, stage_name, progress)
    chosen = {one["run"]: one for one in (_load_named(stage, word) for word in words)}
    _refuse_during_training(stage)
    for load in chosen.values():
        progress(f"Unloading {load['file']}")
        if load["kind"] != RunKind.UNLOAD:
            loads.withdraw(stage, load)
        loads.delete_parts(stage, load)
    return _told(list(chosen.values()))


def _load_named(stage: Stage, word: str) -> LoadItem:
    """Return the only load that the word names, or what is left of one that was already withdrawn."""
    found = loads.named(stage, word) or loads.named(stage, word, kind="unload")
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused("load", f"{word}: {len(found)} loads have this name; name one by its id: {loads.listed(found)}")
    namesakes = [one for one in records.runs(stage, "load") if one["file"] == Path(word).name]
    if namesakes:
        raise Refused("load", f"{word}: its content differs from the loaded file; name {loads.listed(namesakes)}")
    there = loads.listed(records.runs(stage, "load")) or "nothing"
    raise Refused("load", f"{word}: must be a loaded file or the id of a load; loaded: {there}")


def _refuse_during_training(stage: Stage) -> None:
    """Refuse during training: a run in progress reads its parts, and would fail if they were deleted."""
    machine = stage.addresses.get("train")
    under_way = next(executions.running(stage.client("stepfunctions"), machine), None) if machine else None
    if under_way:
        name = under_way["input"].get("run", under_way["name"])
        raise Failed("under_way", f"{name} is in progress and may read these rows; unload them when it has ended")


def _told(unloaded: list[LoadItem]) -> Done:
    values = {
        "rows": sum(one["accepted"] for one in unloaded if one["kind"] != RunKind.UNLOAD),
        "unloaded": [
            {
                "load": one["run"],
                "file": one["file"],
                "accepted": one["accepted"],
                "quarantined": one["quarantined"],
                "already": one["kind"] == RunKind.UNLOAD,
            }
            for one in unloaded
        ],
    }
    lines = [
        f"{one['file']} (load {one['run']}): "
        + ("was unloaded before" if one["kind"] == RunKind.UNLOAD else f"{one['accepted']:,} rows no longer count")
        for one in unloaded
    ]
    return Done(values, lines, "`fairway train` trains on the remaining rows; `fairway load FILE` loads a file again")
