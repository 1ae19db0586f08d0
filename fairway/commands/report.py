"""`fairway report`: one page about a stage, for the people that decide."""

from pathlib import Path
from typing import Annotated

import typer

from fairway.terminal.command import HERE, Json, Project, StageName, run

app = typer.Typer(rich_markup_mode=None)


@app.command("report", epilog="Example: fairway report --out report.html")
def report_command(
    project: Project = HERE,
    stage: StageName = "local",
    out: Annotated[
        Path | None, typer.Option(help="The page to write. Default: DIR/report.html", metavar="FILE")
    ] = None,
    json: Json = False,
) -> None:
    """One page for the people that decide: who answers, how sure it is, what if it fails, what it costs, its worth."""
    from fairway.report.gather import report  # with the whole of domain/money, which no other command needs

    run(lambda progress: report(project, stage, out=out, progress=progress), json=json, project=project, stage=stage)
