"""Rows for the API, from JSON text or from a table read block by block."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from domain.contract.schema import Contract
from domain.contract.text import from_text
from fairway.terminal.errors import Refused

_T = TypeVar("_T")


def parsed_rows(text: str, where: str) -> list[dict]:
    """Return the rows of a JSON object, or of a list of objects."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise Refused("json", f"{where}: not valid JSON: lists or objects are nested too deeply") from None
    except ValueError as error:
        raise Refused("json", f"{where}: not valid JSON: {error}") from None
    rows = document if isinstance(document, list) else [document]
    wrong = [row for row in rows if not isinstance(row, dict)]
    if wrong or not rows:
        odd = json.dumps((wrong or [document])[0])[:80]
        raise Refused("json", f"{where}: must be an object of column names to values, or a list of them, not {odd}")
    return rows


def read_rows(file: Path, contract: Contract, *, types: dict | None = None) -> Iterator[dict]:
    """Yield the table's rows as JSON can hold them. Refused if the table cannot be read.

    Cells of a CSV file are read as the contract's columns, or as those that `types` names; the others stay text.
    """
    from model_code.rows.tables import FileRefused, open_source  # imports Arrow, which rows given as JSON do not need

    columns = {**contract.by_name, **(types or {})}
    try:
        source = open_source(file)
        for block in source.blocks:
            for row in block if isinstance(block, list) else block.to_pylist():
                yield as_json(row, columns, is_text=source.is_text)
    except FileRefused as error:
        raise Refused("file", str(error)) from None


def as_json(row: object, columns: dict, *, is_text: bool) -> dict:
    if not isinstance(row, dict):
        raise Refused("file", f"row = {json.dumps(row)[:80]}: must be an object of column names to values")
    if is_text:
        return {name: from_text(columns[name], text) if name in columns else text for name, text in row.items()}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def chunks(rows: Iterator[_T], size: int) -> Iterator[list[_T]]:
    rows = iter(rows)
    while chunk := list(islice(rows, size)):
        yield chunk
