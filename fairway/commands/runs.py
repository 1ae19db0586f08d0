"""`fairway runs` and `fairway compare`: what was tried, with its data, code and results."""

from pathlib import Path
from typing import Annotated

import typer

from fairway.report.page_file import writable, write_page
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.tracking.facts import on_the_same_rows
from fairway.tracking.tables import comparison_lines, list_lines, run_lines

# lazy: pricing a run loads all of domain/money, and a page needs Jinja2; help needs neither

app = typer.Typer(rich_markup_mode=None)

DEFAULT_PAGE = "compare.html"


@app.command(
    "runs",
    epilog="Example: fairway runs   or: fairway runs r-20130401-1a2b3c4d   or: fairway runs --mlflow sqlite:///mlflow.db",
)
def runs_command(
    name: Annotated[
        str | None, typer.Argument(help="A training run or its release, to show in full.", metavar="RUN")
    ] = None,
    limit: Annotated[int, typer.Option(help="Number of the newest runs to list.", metavar="N", min=1)] = 20,
    mlflow: Annotated[
        str | None,
        typer.Option(
            help="Export them to this MLflow tracking server or store instead of listing them.", metavar="URI"
        ),
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """List training runs, newest first, with data, verdict, duration, cost and result."""
    if mlflow is not None:
        run(
            lambda progress: _export_runs(project, stage, name, uri=mlflow, limit=limit, progress=progress),
            json=json,
            project=project,
            stage=stage,
        )
    elif name is not None:
        run(lambda progress: _one_run(project, stage, name, progress=progress), json=json, project=project, stage=stage)
    else:
        run(
            lambda progress: runs(project, stage, limit=limit, progress=progress),
            json=json,
            project=project,
            stage=stage,
        )


@app.command(
    "compare",
    epilog="Example: fairway compare train-20130401-20261128T074500Z r-20130501-1a2b3c4d --out compare.html",
)
def compare_command(
    first: Annotated[str, typer.Argument(help="A training run, or its release.", metavar="RUN")],
    second: Annotated[str, typer.Argument(help="Another.", metavar="RUN")],
    out: Annotated[Path | None, typer.Option(help="File to write. Default: DIR/compare.html", metavar="FILE")] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Compare two runs: data, code, parameters, every metric, and their curves on a page."""
    run(
        lambda progress: compare(project, stage, first, second, out=out, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def runs(folder: Path, stage_name: str, *, limit: int, progress: Progress) -> Done:
    from fairway.tracking.gather import read_runs

    found = read_runs(connected(folder, stage_name, progress), most=limit, progress=progress)
    values = {"stage": stage_name, "runs": [each.as_json() for each in found]}
    if not found:
        return Done(values, ["no training run yet"], "`fairway train` makes the first")
    newest = found[0].run
    following = f"`fairway compare {found[1].run} {newest}`" if len(found) > 1 else f"`fairway runs {newest}`"
    return Done(values, list_lines(found), f"{following} shows more")


def _one_run(folder: Path, stage_name: str, name: str, *, progress: Progress) -> Done:
    from fairway.tracking.gather import read_run

    found = read_run(connected(folder, stage_name, progress), name, progress=progress)
    following = f"`fairway compare {found.run} RUN` compares it with another"
    return Done(found.as_json(curves=True), run_lines(found), following)


def _export_runs(folder: Path, stage_name: str, name: str | None, *, uri: str, limit: int, progress: Progress) -> Done:
    from fairway.tracking.gather import read_run, read_runs
    from fairway.tracking.mlflow_export import export

    stage = connected(folder, stage_name, progress)
    found = [read_run(stage, name, progress=progress)] if name else read_runs(stage, most=limit, progress=progress)
    experiment = f"{stage.config.project.name}/{stage_name}"
    exported = export(found, uri, experiment=experiment, progress=progress)
    values = {"uri": uri, "experiment": experiment, "runs": len(found), **exported._asdict()}
    created, updated = exported
    line = f"{len(found)} training runs in experiment {experiment}: MLflow runs: {created} created, {updated} updated"
    return Done(values, [line], f"`mlflow server --backend-store-uri {uri}` shows a store")


def compare(folder: Path, stage_name: str, first: str, second: str, *, out: Path | None, progress: Progress) -> Done:
    from fairway.report.comparison import comparison_page
    from fairway.tracking.gather import read_run

    page, stage = writable(out or folder / DEFAULT_PAGE), connected(folder, stage_name, progress)
    both = read_run(stage, first, progress=progress), read_run(stage, second, progress=progress)
    if both[0].run == both[1].run:
        raise Refused("same_run", f"{first!r} and {second!r} are the same run; `fairway runs` lists the others")
    write_page(page, comparison_page(*both, project=stage.config.project.name, stage=stage_name))
    same = on_the_same_rows(*both)
    values = {"out": str(page), "same_rows": same, "runs": [each.as_json(curves=True) for each in both]}
    alarms = [] if same else ["judged on different rows: a difference between them is not a gain"]
    return Done(values, comparison_lines(*both), f"open {page} in a browser for the curves", alarms)
