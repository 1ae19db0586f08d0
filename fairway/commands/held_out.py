"""`fairway held-out`: write the rows that a run was judged on, so that a model can be trained without them."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from domain.runs import TrainItem
from fairway.scratch import scratch
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.held_out import Judged, fetch, judged
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "held-out",
    epilog="Example: fairway held-out --out held-out.csv   or: fairway held-out r-20130401-1a2b3c4d --out rows.csv. "
    "Leave these rows out of the training data of a model that you want to import.",
)
def held_out_command(
    out: Annotated[Path, typer.Option(help="Write the rows to this CSV file.", metavar="FILE.csv")],
    what: Annotated[
        str | None, typer.Argument(help="A training run or a release. Default: the newest run.", metavar="RUN|RELEASE")
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Write the rows that a run was judged on, as CSV."""
    run(
        lambda progress: held_out(project, stage, what, out=out, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def held_out(folder: Path, stage_name: str, what: str | None, *, out: Path, progress: Progress) -> Done:
    if out.suffix != ".csv" or not out.parent.is_dir():
        raise Refused("out", f"--out {out}: must be a file named .csv, in a folder that exists")
    stage = connected(folder, stage_name, progress)
    rows_of = judged(stage, _run_named(stage, what)["run"])
    progress(f"Reading the rows that {rows_of.run} was judged on")
    rows = _write(stage, rows_of, out, progress)
    window = rows_of.window
    span = (
        f"from {window['evaluate_start']} to {window['as_of']}"
        if rows_of.contract.event_time
        else "a part of all rows, chosen by the hash of their entity"
    )
    return Done(
        {"out": str(out), "run": rows_of.run, "rows": rows, **window},
        [f"{out}: {rows:,} rows that {rows_of.run} was judged on, {span}"],
        "leave them out of the training data of a model, then import it with `fairway import`",
    )


def _run_named(stage: Stage, what: str | None) -> TrainItem:
    found = [one for one in records.runs(stage, "train") if one.get("verdict")]
    if what is None and found:
        return max(found, key=lambda one: (one.get("started_at", ""), one["run"]))
    release = records.release(stage, what) if what else None
    wanted = release["run"] if release else what
    chosen = [one for one in found if one["run"] == wanted]
    if not chosen:
        there = ", ".join(one["run"] for one in found[-5:]) or "none yet; `fairway train` judges one"
        raise Refused("run", f"{what or 'held-out'}: must be a run that was judged, or its release; runs: {there}")
    return chosen[0]


def _write(stage: Stage, judged: Judged, out: Path, progress: Progress) -> int:
    """Write the file if the rows found are as many as the run's; otherwise write nothing."""
    from model_code.rows.held_out import write_held_out  # lazy: Arrow, which help must not cost

    with scratch("held-out") as folder:
        fetch(stage, judged, folder, progress)
        made = folder / "held-out.csv"
        rows = write_held_out(
            folder, judged.contract, judged.window, made, loads=judged.loads, duplicates=judged.duplicates
        )
        if rows != judged.rows:
            counts = f"{judged.run} was judged on {judged.rows:,} rows, and the lake has {rows:,} of them"
            raise Failed("rows_gone", f"{counts}; nothing was written")
        shutil.copyfile(made, out)
    return rows
