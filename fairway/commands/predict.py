"""`fairway predict`: rows to the API, answers as a JSON list."""

from pathlib import Path
from typing import Annotated

import typer

from fairway.client import MOST_ROWS, Fairway
from fairway.stage.aws import connect
from fairway.tables.rows import chunks, parsed_rows, read_rows
from fairway.terminal.command import HERE, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "predict",
    epilog="""Example: fairway predict --json '{"carrier": "UA", "origin": "EWR"}'. Always prints a JSON list.""",
)
def predict_command(
    json: Annotated[str | None, typer.Option(help="A row, or a list of rows, as JSON.", metavar="ROWS")] = None,
    file: Annotated[Path | None, typer.Option(help="Rows as CSV, JSON, JSON Lines or Parquet.", metavar="FILE")] = None,
    project: Project = HERE,
    stage: StageName = "local",
) -> None:
    """Signed requests to the API: a list of {id, entity_id, prediction, probability, release, role, source, reason}."""
    run(
        lambda progress: predict(project, stage, text=json, file=file, progress=progress),
        json=True,
        project=project,
        stage=stage,
    )


def predict(folder: Path, stage_name: str, *, text: str | None, file: Path | None, progress) -> Done:
    if (text is None) == (file is None):
        raise Refused("usage", "give either --json ROWS or --file FILE; `fairway predict --help` shows an example")
    given = parsed_rows(text, "--json") if text is not None else None
    stage = connect(folder, stage_name)
    api = Fairway(connected=stage)
    answers = []
    progress("Asking for predictions")
    for rows in chunks(given or read_rows(file, stage.contract), MOST_ROWS):
        answers += api.predict(rows)
        progress.detail(f"{len(answers):,} answered")
    if not answers:
        raise Refused("file", f"{file}: holds no rows")
    return Done(answers, [], "`fairway outcomes FILE` tells what really happened; `fairway status` who answers")
