"""Read the bodies of requests into rows, and write answers as the body of a reply: JSON, JSON Lines and CSV."""

import csv
import io
import json
from typing import Any, NamedTuple, TypedDict

from domain.contract.schema import Column, Contract
from domain.contract.text import from_text
from domain.contract.values import check_value
from model_code.answers.media_types import CSV, LINES
from model_code.answers.reply import JSON, RequestRefused
from model_code.artefact.folder import Artefact


class RowError(TypedDict):
    """In place of an answer: the reason why the row has none."""

    error: str


class Unreadable(str):
    """In place of a row: the reason why it cannot be read as one."""


Answer = float | list[float] | RowError


class Instances(NamedTuple):
    """The rows of a body, still to be checked. `contract`: hash of the contract that they were checked under, where
    the caller gives one.
    """

    rows: list[Any]
    contract: str | None = None


# ---- reading


def parse(contract: Contract, body: bytes, media_type: str) -> Instances:
    """Return the rows of a body. Raises RequestRefused (400) if it cannot be read as rows."""
    return _PARSE[media_type](contract, body)


def decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(400, "bad_request", f"the body is not JSON: {error}") from None


def _parse_json(contract: Contract, body: bytes) -> Instances:
    document = decoded(body)
    rows = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise RequestRefused(400, "bad_request", 'the body must be {"instances": [{column: value, ...}, ...]}')
    checked_under = document.get("contract")
    return Instances(rows, checked_under if isinstance(checked_under, str) else None)


def _parse_lines(contract: Contract, body: bytes) -> Instances:
    # not `splitlines`: a \r is a space to JSON, in the files of a batch too
    return Instances([decoded(line) for line in body.split(b"\n") if line.strip()])


def _parse_csv(contract: Contract, body: bytes) -> Instances:
    """Read cells in the order of the contract's features, or of a header."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestRefused(400, "bad_request", f"the body is not CSV: {error}") from None
    names = [column.name for column in contract.features]
    if lines and _is_header(contract, lines[0]):
        names = lines.pop(0)
        _refuse_other_names(contract, names)
    return Instances([_csv_row(contract, names, cells) for cells in lines])


def _csv_row(contract: Contract, names: list[str], cells: list[str]) -> dict[str, Any] | Unreadable:
    if len(cells) != len(names):
        return Unreadable(f"cells = {len(cells)}: must be {len(names)}, one for each of {_listed(names)}")
    return {name: from_text(contract.by_name[name], cell) for name, cell in zip(names, cells, strict=True)}


def _is_header(contract: Contract, cells: list[str]) -> bool:
    """Whether the first line of a CSV body names columns, be they the contract's or not.

    It does if all its cells are columns of the contract. It also does if every cell holds a text that is not a number,
    no cell is a value of the column in its place (free text, which takes any, apart), and one of them is a column's
    name but for case and spaces, or some column is not free text.
    """
    if set(cells) <= set(contract.by_name):
        return True
    if not all(cells) or any(map(_is_number, cells)):
        return False
    in_place = list(zip(contract.features, cells, strict=False)) if len(cells) == len(contract.features) else []
    if any(_is_value(column, cell) for column, cell in in_place):
        return False
    names = {_folded(name) for name in contract.by_name}
    return any(_folded(cell) in names for cell in cells) or not all(is_free_text(column) for column, _ in in_place)


def is_free_text(column: Column) -> bool:
    return column.type == "string" and column.categories is None


def _is_value(column: Column, cell: str) -> bool:
    return not is_free_text(column) and not check_value(column, from_text(column, cell))[1]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _folded(name: str) -> str:
    return name.strip().casefold()


def _refuse_other_names(contract: Contract, names: list[str]) -> None:
    strangers = [name for name in names if name not in contract.by_name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not strangers and not twice:
        return
    wrong = f"{_listed(strangers)}: must be in" if strangers else f"{_listed(twice)}: must be named once for"
    features = _listed([column.name for column in contract.features])
    message = f"the CSV header names {wrong} the contract {contract.name!r}, whose features are {features}"
    raise RequestRefused(400, "bad_request", f"{message}; correct the header, or omit it and keep this order")


def _listed(names: list[str], most: int = 20) -> str:
    shown = ", ".join(f"{name!r:.100}" for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names):,} in all)"


_PARSE = {JSON: _parse_json, LINES: _parse_lines, CSV: _parse_csv}


# ---- writing


def write(artefact: Artefact, answers: list[Answer], media_type: str) -> bytes:
    """Return the body of a reply with one answer for each row, in their order."""
    return _WRITE[media_type](artefact, answers)


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def numbers_of(answer: Answer) -> list[float]:
    """Return the scores of an answer; empty for an error."""
    if isinstance(answer, dict):
        return []
    return answer if isinstance(answer, list) else [answer]


def _write_json(artefact: Artefact, answers: list[Answer]) -> bytes:
    document: dict[str, Any] = {"predictions": answers}
    if artefact.contract.task == "multiclass":
        document["classes"] = artefact.manifest["classes"]
    return compact(document)


def _write_lines(artefact: Artefact, answers: list[Answer]) -> bytes:
    return b"".join(compact(answer) + b"\n" for answer in answers)


def _write_csv(artefact: Artefact, answers: list[Answer]) -> bytes:
    """Write one line a row: its score, or its scores in the order of the classes. A row without an answer has empty
    cells in their place and its reason in one cell more.
    """
    width = len(artefact.manifest["classes"]) if artefact.contract.task == "multiclass" else 1
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(_cells(answer, width) for answer in answers)
    return out.getvalue().encode()


def _cells(answer: Answer, width: int) -> list[float | str]:
    return [*[""] * width, answer["error"]] if isinstance(answer, dict) else list(numbers_of(answer))


_WRITE = {JSON: _write_json, LINES: _write_lines, CSV: _write_csv}
