"""`fairway predict`: rows to the API, answers as a JSON list."""

from pathlib import Path

from fairway.client import MOST_ROWS, Fairway
from fairway.stage.aws import connect
from fairway.tables.rows import chunks, parsed_rows, read_rows
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused


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
