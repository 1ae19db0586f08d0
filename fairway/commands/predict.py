"""`fairway predict`: send rows to the API, and print its answers as a table or as JSON."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from domain.contract.schema import Contract
from fairway.client.api import MOST_ROWS
from fairway.client.replies import Prediction
from fairway.stage.api import api_of
from fairway.stage.settings import connected
from fairway.tables.rows import chunks, parsed_rows, read_rows
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "predict",
    epilog="""Example: fairway predict '{"carrier": "UA", "origin": "EWR"}'   or: fairway predict --file rows.csv""",
)
def predict_command(
    rows: Annotated[str | None, typer.Argument(help="A row, or a list of rows, as JSON.", metavar="ROWS")] = None,
    file: Annotated[Path | None, typer.Option(help="Rows as CSV, JSON, JSON Lines or Parquet.", metavar="FILE")] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Send signed requests to the API: {id, entity_id, prediction, probability, confidence, release, role, source,
    reason} for each row.
    """
    run(
        lambda progress: predict(project, stage, text=rows, file=file, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def predict(folder: Path, stage_name: str, *, text: str | None, file: Path | None, progress: Progress) -> Done:
    if (text is None) == (file is None):
        raise Refused("usage", "give either ROWS or --file FILE; `fairway predict --help` shows an example")
    given = parsed_rows(text, "ROWS") if text is not None else None
    stage = connected(folder, stage_name, progress)
    api = api_of(stage)
    answers: list[Prediction] = []
    progress("Asking for predictions")
    for rows in chunks(iter(given) if given else _rows_of(file, stage.contract), MOST_ROWS):
        answers += api.predict(rows)
        progress.detail(f"{len(answers):,} answered")
    if not answers:
        raise Refused("file", f"{file}: must have at least one row")
    return Done(answers, _lines(answers), "`fairway outcomes FILE` reports what really happened, once it is known")


def _rows_of(file: Path | None, contract: Contract) -> Iterator[dict]:
    """Return the rows of a table; a .json file may also be one JSON document, like ROWS."""
    assert file is not None
    if file.suffix == ".json" and _begins_with_a_list(file):
        return iter(parsed_rows(file.read_text(encoding="utf-8-sig"), str(file)))
    return read_rows(file, contract)


def _begins_with_a_list(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as opened:
            return opened.read(1000).lstrip().startswith("[")
    except OSError:
        return False  # read_rows says why it cannot be read


def _lines(answers: list[Prediction]) -> list[str]:
    sources = Counter(answer.get("source", "unknown") for answer in answers)
    total = ", ".join(f"{count:,} by the {source}" for source, count in sources.most_common())
    rows = [
        (
            answer.get("entity_id"),
            answer.get("prediction"),
            _share(answer),
            answer.get("source"),
            answer.get("release") or "-",
            answer.get("instead_of") or answer.get("reason"),
            answer.get("confidence", {}).get("says", "-"),
        )
        for answer in answers
    ]
    heads = ("entity", "prediction", "probability", "source", "release", "why", "how sure")
    return [f"{len(answers):,} answered: {total}", *table(rows, heads)]


def _share(answer: Prediction) -> str:
    probability = answer.get("probability")
    return "-" if probability is None else f"{probability:.4f}"
