"""Quarantined rows in Parquet parts, with their problems; and the same as CSV, to be corrected and loaded."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from domain.batch.csv_head import REASONS
from domain.contract.values import Problem


class Quarantined(NamedTuple):
    """A quarantined row: its file, its position there from 1, its content, and every rule that it broke."""

    file: str
    row: int
    values: Any  # a dict of its columns; or anything else that a line of JSON can be
    problems: list[Problem]


def read_quarantined(file: str, part: Any) -> Iterator[Quarantined]:
    """Return the rows of one part (a path, or a file with random access) that came with `file`."""
    with pq.ParquetFile(part, pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(columns=["row_number", "row", "problems"]):
            for number, row, problems in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Quarantined(file, number, json.loads(row), [Problem(**one) for one in json.loads(problems)])


def write_csv(rows: Callable[[], Iterable[Quarantined]], columns: list[str], out: Path) -> None:
    """Write every row with its reasons in the column `why quarantined`, which file readers ignore.

    `rows` is called twice: once for the columns, those of the contract first, and once for the rows.
    """
    found = dict.fromkeys(name for one in rows() if isinstance(one.values, dict) for name in one.values)
    found.pop(REASONS, None)
    names = [name for name in columns if name in found] + [name for name in found if name not in columns]
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, REASONS])
        for one in rows():
            values = one.values if isinstance(one.values, dict) else {}
            reasons = "; ".join(problem.message for problem in one.problems)
            writer.writerow([*(_cell(values.get(name)) for name in names), reasons])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
