"""`fairway outcomes`: send outcomes to the API in requests of a hundred rows, after every row was checked."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.contract.keys import entity_id
from domain.contract.schema import Column, Contract
from domain.contract.values import check_row, check_value
from domain.request.outcomes import still_to_come
from domain.timestamps import parse_timestamp
from fairway.client.api import MOST_ROWS
from fairway.stage.api import api_of
from fairway.stage.settings import connected
from fairway.tables.rows import chunks, read_rows
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

REQUESTS = 4  # rows at a time
IDENTITY = {"entity_id": Column("entity_id", "string"), "prediction_id": Column("prediction_id", "string")}
WHEN = Column("event_time", "timestamp", nullable=True)

app = typer.Typer(rich_markup_mode=None)


@app.command("outcomes", epilog="Example: fairway outcomes arrivals.csv")
def outcomes_command(
    file: Annotated[
        Path, typer.Argument(help="Columns entity_id or prediction_id, outcome, event_time; or the contract's own.")
    ],
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Report what really happened, and join it to the predictions."""
    run(lambda progress: outcomes(project, stage, file, progress=progress), json=json, project=project, stage=stage)


def outcomes(folder: Path, stage_name: str, file: Path, *, progress: Progress) -> Done:
    stage = connected(folder, stage_name, progress)
    api, contract = api_of(stage), stage.contract
    progress(f"Checking {file.name}")
    known = sum(outcome is not None for outcome in _read_outcomes(file, contract))
    rows = (outcome for outcome in _read_outcomes(file, contract) if outcome is not None)
    progress(f"Sending {known:,} outcomes")
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(REQUESTS) as pool:
        for several in chunks(chunks(rows, MOST_ROWS), REQUESTS):
            for reply in pool.map(api.outcomes, several):
                total += Counter({key: reply[key] for key in ("accepted", "joined", "unmatched")})
            progress.detail(f"{total['accepted']:,} of {known:,}")
    values = {key: total[key] for key in ("accepted", "joined", "unmatched")}
    joined = f"{values['joined']:,} joined to their predictions, {values['unmatched']:,} without one"
    line = f"accepted {values['accepted']:,} outcomes: {joined}"
    return Done(values, [line], "`fairway status` shows which release answers; `fairway train` trains on loaded rows")


def _read_outcomes(file: Path, contract: Contract) -> Iterator[dict | None]:
    """Return each row as the API expects it; None for a row whose outcome is not known yet.

    Refused names the first bad row.
    """
    types = {**IDENTITY, "outcome": contract.target}
    for number, row in enumerate(read_rows(file, contract, types=types), 1):
        try:
            told = _of_contract(row, contract) if _is_of_contract(row, contract) else _plain(row, contract)
            _refuse_to_come(told)
            yield told
        except ValueError as error:
            raise Refused("outcome", f"{file}: row {number}: {error}; nothing was sent") from None


def _refuse_to_come(told: dict | None) -> None:
    """Raise ValueError for an event that has not happened yet."""
    moment = parse_timestamp(told["event_time"]) if told and told.get("event_time") else None
    ahead = still_to_come(moment, datetime.now(UTC)) if moment else ""
    if ahead:
        raise ValueError(f"event_time = {told and told['event_time']!r}: {ahead}")


def _is_of_contract(row: dict, contract: Contract) -> bool:
    """Return whether a row belongs to the contract's own table, whatever its columns are called; else the API's names
    count.

    A table may have a column called entity_id or outcome with another meaning.
    """
    if "outcome" not in row:
        return True
    return bool(contract.of_role("key")) and all(name in row for name in _needed(contract))


def _needed(contract: Contract) -> list[str]:
    """Return the columns that name a row's entity and its outcome in the contract's table."""
    return [column.name for column in contract.of_role("key") or contract.features] + [contract.target.name]


def _plain(row: dict, contract: Contract) -> dict | None:
    """Return {prediction_id, outcome} or {entity_id, outcome, event_time?}, as the API knows them."""
    if row["outcome"] is None:
        return None
    named = [name for name in IDENTITY if row.get(name) is not None]
    if len(named) != 1:
        raise ValueError(f"needs either entity_id or prediction_id, has {' and '.join(named) or 'neither'}")
    who = row[named[0]]
    told = {named[0]: _checked(IDENTITY[named[0]], str(who) if type(who) is int else who)}
    told["outcome"] = _checked(replace(contract.target, name="outcome"), row["outcome"])
    if named == ["entity_id"] and contract.event_time and row.get("event_time") is not None:
        told["event_time"] = _checked(WHEN, row["event_time"])
    return told


def _checked(column: Column, value: object) -> object:
    kept, problems = check_value(column, value)
    if problems:
        raise ValueError(problems[0].message)
    return kept


def _of_contract(row: dict, contract: Contract) -> dict | None:
    """Return the outcome in a row of the contract's own table: its key, event time and target."""
    target = contract.target.name
    needed = _needed(contract)
    missing = [name for name in needed if name not in row]
    if missing:
        raise ValueError(f"has neither an outcome column nor the contract's {', '.join(map(repr, missing))}")
    if row[target] is None:
        return None
    clean, problems = check_row(contract, row, with_target=True)
    concerned = [problem for problem in problems if problem.column in needed]
    if concerned:
        raise ValueError(concerned[0].message)
    when = clean[contract.event_time.name] if contract.event_time else None
    return {"entity_id": entity_id(contract, clean), "outcome": clean[target], **({"event_time": when} if when else {})}
