"""Rows of a request: read from its body and checked against the contract, all problems at once."""

import json
from datetime import datetime
from typing import Any

from domain.contract.schema import Contract
from domain.contract.values import Problem, check_row, described
from domain.request.limits import LARGEST_ROW_CHARACTERS, MOST_PROBLEMS, MOST_ROWS
from domain.timestamps import iso
from lambdas.request.http import BadRequest, TooLarge, shortened


def rows_of(document: object) -> list[Any]:
    """Return one row, or a list of rows, as a list."""
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list) or not document:
        raise BadRequest(f"send one row as an object of columns to values, or a list of 1 to {MOST_ROWS} rows")
    if len(document) > MOST_ROWS:
        raise TooLarge(f"{len(document)} rows: must be at most {MOST_ROWS}; score more as a batch")
    return document


def check_rows(contract: Contract, rows: list[Any], *, now: datetime) -> list[dict[str, Any]]:
    """Return the rows as the contract writes them. If one is wrong, refuses all of them and names every problem."""
    checked = [check_row(contract, _with_event_time(contract, row, now), with_target=False) for row in rows]
    problems = [_in_words(number, problem) for number, (_, broken) in enumerate(checked) for problem in broken]
    if problems:
        wrong = len({problem["row"] for problem in problems})
        summary = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {wrong} of {len(rows)} rows"
        raise BadRequest(f"{summary}; the first: {problems[0]['message']}", problems[:MOST_PROBLEMS])
    clean = [row for row, _ in checked]
    if any(len(json.dumps(row)) > LARGEST_ROW_CHARACTERS for row in clean):
        raise TooLarge(f"a row has more than {LARGEST_ROW_CHARACTERS:,} characters as JSON; it could not be stored")
    return clean


def _with_event_time(contract: Contract, row: Any, now: datetime) -> Any:
    """Default the event time to now."""
    column = contract.event_time
    if column is None or not isinstance(row, dict) or row.get(column.name) is not None:
        return row
    return {**row, column.name: iso(now)}


def _in_words(row: int, problem: Problem) -> dict[str, Any]:
    """Describe a problem: {row, column, value, rule, allowed, message}; rows count from 0, as in the caller's list."""
    column, value = shortened(problem.column), shortened(problem.value)
    rule, allowed = problem.rule, problem.allowed
    message = f"row {row}: {described(str(column), repr(value), rule, allowed)}"
    return {"row": row, "column": column, "value": value, "rule": rule, "allowed": allowed, "message": message}
