"""The rows of one part of a window, checked again and put in an order that does not depend on how they were loaded."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from domain.contract.schema import Contract
from model_code.rows.identity import entity_ids, in_window, place
from model_code.rows.readers import FileRefused
from model_code.rows.tables import read_table, schema_of
from model_code.settings import JobRefused


class WindowRows(NamedTuple):
    table: pa.Table
    quarantined: int
    reasons: Counter


def read_window(folder: Path, contract: Contract, window: dict, part: str) -> WindowRows:
    """Every row of the Parquet parts in `folder` that is of `part` (train or evaluate), in the order of time."""
    files = sorted(folder.rglob("*.parquet"))
    batches, quarantined, reasons = [], 0, Counter()
    for file in files:
        try:
            for checked in read_table(file, contract, with_target=True):
                batches.append(checked.accepted.filter(in_window(contract, checked.accepted, window, part)))
                quarantined += len(checked.quarantined)
                reasons += checked.reasons
        except FileRefused as error:
            raise JobRefused(f"rows loaded under another contract: {error}") from error
    table = pa.Table.from_batches(batches, schema_of(contract, with_target=True))
    if not len(table):
        span = f"{window['train_start']} to {window['as_of']}"
        raise JobRefused(
            f"no row to {part} on: {len(files)} files hold none in that part of {span}; load rows or move as_of"
        )
    return WindowRows(in_time_order(contract, table), quarantined, reasons)


def in_time_order(contract: Contract, table: pa.Table) -> pa.Table:
    """By event time and key; without an event time by the hash of the entity, which is no order that the file had."""
    keys = [column.name for column in contract.of_role("key")]
    if contract.event_time is not None:
        return table.sort_by([(name, "ascending") for name in [contract.event_time.name, *keys]])
    places = np.array([place(entity) for entity in entity_ids(contract, table).to_pylist()])
    return table.take(pa.array(np.argsort(places, kind="stable")))
