"""`fairway report`: write a page about a stage for decision makers."""

from pathlib import Path
from typing import Annotated

import typer

from fairway.terminal.command import HERE, Json, Project, StageName, run

app = typer.Typer(rich_markup_mode=None)


@app.command("report", epilog="Example: fairway report --out report.html")
def report_command(
    project: Project = HERE,
    stage: StageName = "local",
    out: Annotated[Path | None, typer.Option(help="File to write. Default: DIR/report.html", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Write a page for decision makers: current release, confidence, failure behaviour, cost and value."""
    from fairway.report.gather import report  # imports the whole of domain/money, which few other commands need

    run(lambda progress: report(project, stage, out=out, progress=progress), json=json, project=project, stage=stage)
