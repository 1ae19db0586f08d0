"""A table with its predictions next to its own columns, as CSV. Rows that broke the contract have none."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from model_code.rows.tables import open_source

ADDED = ("prediction", "probability", "source", "release", "reason")


def write_scored(source: Path, parts: list[Path], out: Path) -> int:
    """Write the source's rows with the predictions in the Parquet files `parts`; return how many have one.

    The predictions are kept in memory, some 50 bytes each; the source is read block by block.
    """
    answers = _answers(parts)
    rows = _rows(source)
    first = next(rows, {})
    names = list(first)
    added = [name if name not in names else f"fairway_{name}" for name in ADDED]
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, *added])
        for number, row in enumerate(_chained(first, rows), 1):
            writer.writerow([*(row.get(name) for name in names), *answers.get(number, ("",) * len(ADDED))])
    return len(answers)


def _chained(first: dict[str, Any], rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if first:
        yield first
    yield from rows


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    for block in open_source(source).blocks:
        yield from block if isinstance(block, list) else block.to_pylist()


def _answers(parts: list[Path]) -> dict[int, tuple[Any, ...]]:
    """Return {position of the row in the file, from 1: its answer}."""
    answers: dict[int, tuple[Any, ...]] = {}
    for part in parts:
        table = pq.ParquetFile(part).read(columns=["row_number", *ADDED])
        columns = [table[name].to_pylist() for name in ("row_number", *ADDED)]
        for number, *answer in zip(*columns, strict=True):
            answers[number] = tuple(str(one).lower() if isinstance(one, bool) else one for one in answer)
    return answers
