"""The rows of one part of a window: checked again, each once, in an order that is independent of their loads."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from domain.contract.schema import Contract
from domain.train.windows import Window
from model_code.refusals import FileRefused
from model_code.rows.duplicates import in_order_of_loading, newest_only
from model_code.rows.identity import entity_ids, in_window, place
from model_code.rows.tables import read_part, schema_of
from model_code.settings import JobRefused


class WindowRows(NamedTuple):
    """`replaced`: how many rows gave way to a newer one of the same key and event time."""

    table: pa.Table
    quarantined: int
    reasons: Counter[str]
    replaced: int


def read_window(
    folder: Path,
    contract: Contract,
    window: Window,
    part: str,
    *,
    loads: Sequence[str] = (),
    duplicates: str = "newest",
) -> WindowRows:
    """Read the rows of `part` (train or evaluate) from the Parquet files in `folder`, in the order of time.

    `loads` names the loads of the files, oldest first; `duplicates` is data.duplicates. Raises JobRefused.
    """
    files = in_order_of_loading(list(folder.rglob("*.parquet")), loads)
    batches: list[pa.RecordBatch] = []
    quarantined = 0
    reasons: Counter[str] = Counter()
    for file in files:
        try:
            for checked in read_part(file, contract):
                batches.append(checked.accepted.filter(in_window(contract, checked.accepted, window, part)))
                quarantined += len(checked.quarantined)
                reasons += checked.reasons
        except FileRefused as error:
            raise JobRefused(f"a part of the lake cannot be read: {error}") from error
    table = pa.Table.from_batches(batches, schema_of(contract, with_target=True))
    if not len(table):
        span = f"{window['train_start']} to {window['as_of']}"
        raise JobRefused(
            f"no row to {part} on: {len(files)} files have none in that part of {span}"
            f"{_broken(reasons)}; load rows or move as_of"
        )
    counting = each_once(contract, table, duplicates)
    return WindowRows(counting, quarantined, reasons, len(table) - len(counting))


def each_once(contract: Contract, table: pa.Table, duplicates: str) -> pa.Table:
    """Return checked rows, which come in the order in which they were loaded, in the order of time, each once."""
    ordered = _in_time_order(contract, table)
    return ordered if duplicates == "keep" else newest_only(contract, ordered)


def _broken(reasons: Counter[str]) -> str:
    """Name the rules that rows broke, which were loaded under another contract perhaps."""
    counts = ", ".join(f"{rule} {count:,}" for rule, count in sorted(reasons.items()))
    return f" that keeps the contract ({counts})" if counts else ""


def _in_time_order(contract: Contract, table: pa.Table) -> pa.Table:
    """Sort by event time and key; without an event time by the hash of the entity, which is independent of the file.

    Rows that are alike in these stay in the order in which they were loaded: both sorts are stable.
    """
    keys = [column.name for column in contract.of_role("key")]
    if contract.event_time is not None:
        return table.sort_by([(name, "ascending") for name in [contract.event_time.name, *keys]])
    places = np.array([place(entity) for entity in entity_ids(contract, table).to_pylist()])
    return table.take(pa.array(np.argsort(places, kind="stable")))
