"""`fairway held-out`: the rows that a run was judged on, so that a model made elsewhere can leave them alone."""

import shutil
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from domain import lake
from domain.contract.schema import Contract, from_dict
from domain.release.evaluation import Evaluation
from domain.runs import TrainItem, TrainSettings
from domain.train.windows import Window
from fairway.scratch import scratch
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.documents import run_document
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "held-out",
    epilog="Example: fairway held-out --out held-out.csv   or: fairway held-out r-20130401-1a2b3c4d --out rows.csv. "
    "Leave these rows out of what a model that is to be imported learns from.",
)
def held_out_command(
    out: Annotated[Path, typer.Option(help="Write the rows to this CSV.", metavar="FILE.csv")],
    what: Annotated[
        str | None, typer.Argument(help="A training run or a release. Default: the newest run.", metavar="RUN|RELEASE")
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """The rows that a run was judged on, as CSV."""
    run(
        lambda progress: held_out(project, stage, what, out=out, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


class _Judged(NamedTuple):
    """What a run was judged on, as its own documents have it."""

    run: str
    keys: list[str]  # parts of the lake
    contract: Contract
    window: Window
    loads: list[str]
    duplicates: str
    rows: int


def held_out(folder: Path, stage_name: str, what: str | None, *, out: Path, progress: Progress) -> Done:
    if out.suffix != ".csv" or not out.parent.is_dir():
        raise Refused("out", f"--out {out}: must be a file named .csv, in a folder that exists")
    stage = connected(folder, stage_name, progress)
    judged = _judged(stage, _run_named(stage, what))
    progress(f"Reading the rows that {judged.run} was judged on")
    rows = _write(stage, judged, out, progress)
    window = judged.window
    span = (
        f"from {window['evaluate_start']} to {window['as_of']}"
        if judged.contract.event_time
        else "a part of all rows, chosen by the hash of their entity"
    )
    return Done(
        {"out": str(out), "run": judged.run, "rows": rows, **window},
        [f"{out}: {rows:,} rows that {judged.run} was judged on, {span}"],
        "leave them out of what a model learns from before `fairway import` brings it in",
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
        raise Refused("run", f"{what or 'held-out'}: is neither a run that was judged nor its release; runs: {there}")
    return chosen[0]


def _judged(stage: Stage, item: TrainItem) -> _Judged:
    run = item["run"]
    names = ("evaluate.manifest", "evaluation.json", "settings/run.json", "settings/contract.json")
    documents: dict[str, Any] = {name: run_document(stage, run, name) for name in (*names, "settings/config.json")}
    gone = [name for name, document in documents.items() if document is None]
    if gone:
        raise Failed("run_gone", f"{run}: its {', '.join(gone)} are no longer in the lake; `fairway train` judges anew")
    evaluation: Evaluation = documents["evaluation.json"]
    settings: TrainSettings = documents["settings/run.json"]
    return _Judged(
        run=run,
        keys=[lake.ROWS + key for key in documents["evaluate.manifest"][1:]],
        contract=from_dict(documents["settings/contract.json"]),
        window=evaluation["window"],
        loads=settings.get("loads", []),
        duplicates=documents["settings/config.json"]["data"]["duplicates"],
        rows=evaluation["rows"],
    )


def _write(stage: Stage, judged: _Judged, out: Path, progress: Progress) -> int:
    """Write the file once its rows are known to be those of the run, in number; before, nothing of it is there."""
    from model_code.rows.held_out import write_held_out  # lazy: Arrow, which help must not cost

    with scratch("held-out") as folder:
        for number, key in enumerate(judged.keys, 1):
            progress.detail(f"part {number} of {len(judged.keys)}")
            _download(stage, judged.run, key, folder / key)
        made = folder / "held-out.csv"
        rows = write_held_out(
            folder, judged.contract, judged.window, made, loads=judged.loads, duplicates=judged.duplicates
        )
        if rows != judged.rows:
            counts = f"{judged.run} was judged on {judged.rows:,} rows, and the lake has {rows:,} of them"
            raise Failed("rows_gone", f"{counts}; nothing was written")
        shutil.copyfile(made, out)
    return rows


def _download(stage: Stage, run: str, key: str, file: Path) -> None:
    from botocore.exceptions import ClientError  # lazy: only what asks AWS pays for botocore

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        stage.client("s3").download_file(stage.addresses["lake"], key, str(file))
    except ClientError as error:
        reason = f"{key} cannot be read any more ({error.response['Error']['Code']}): unloaded, deleted or archived"
        raise Failed("rows_gone", f"the rows that {run} was judged on are not all there; {reason}") from None
