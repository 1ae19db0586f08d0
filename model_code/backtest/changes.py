"""A day's rows as a scenario has them: changed, and checked against the contract again."""

from collections import Counter
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.schema import Contract
from domain.watch.scenarios import FACTOR, RISE, SHARE, Kind, Scenario
from model_code.rows.tables import check_block
from model_code.upstream.changes import CHANGES, Change, changed, scaled

_BY_NAME = {change.name: change for change in CHANGES}
_SAME = {
    Kind.UNIT: Change("in another unit", scaled(FACTOR)),
    Kind.SOURCE: _BY_NAME["missing"],
    Kind.UPSTREAM: _BY_NAME["stale: the same value in every row"],
}


class Asked(NamedTuple):
    """Rows of a day: those that keep the contract, and those that it refuses, as they would have been."""

    rows: pa.Table
    refused: pa.Table
    reasons: Counter[str]


def unchanged(table: pa.Table) -> Asked:
    return Asked(table, table.slice(0, 0), Counter())


def asked(contract: Contract, scenario: Scenario, day: date, table: pa.Table, renamed: dict[str, str]) -> Asked:
    """Change a day's rows; `renamed` are the texts that get another name, by column."""
    kind = Kind(scenario["kind"])
    if not len(table) or kind is Kind.DELAY:
        return unchanged(table)
    (rows,) = table.combine_chunks().to_batches()
    if kind is Kind.PRICE:
        return unchanged(pa.Table.from_batches([_shocked(contract, rows, np.random.default_rng(day.toordinal()))]))
    if kind is Kind.CATEGORY:
        made = _with(rows, {name: _renamed(rows.column(name), text) for name, text in renamed.items()})
    else:
        found = changed(rows, scenario["columns"], _SAME[kind], seed=day.toordinal())
        made = rows if found is None else found
    checked = check_block(contract, made, with_target=True)
    kept = np.zeros(len(rows), dtype=bool)
    kept[checked.row_numbers - 1] = True
    return Asked(pa.Table.from_batches([checked.accepted]), table.filter(pa.array(~kept)), checked.reasons)


def most_frequent(table: pa.Table, names: list[str]) -> dict[str, str]:
    """Return the most frequent text of each column that has any."""
    found = {}
    for name in names:
        counted = pc.value_counts(table.column(name).drop_null()).to_pylist()
        if counted:
            found[name] = max(counted, key=lambda one: (one["counts"], one["values"]))["values"]
    return found


def _renamed(values: pa.Array, text: str) -> pa.Array:
    return pc.if_else(pc.fill_null(pc.equal(values, text), False), pa.scalar(f"{text} (new)"), values)


def _shocked(contract: Contract, rows: pa.RecordBatch, random: np.random.Generator) -> pa.RecordBatch:
    """Give rows other outcomes: numbers rise; of classes a share becomes the positive one, or that of another row."""
    name, values = contract.target.name, rows.column(contract.target.name)
    if contract.task == "regression":
        return _with(rows, {name: pc.cast(pc.multiply(pc.cast(values, pa.float64()), RISE), values.type, safe=False)})
    others = (
        pa.array([contract.positive] * len(rows), values.type)
        if contract.task == "binary"
        else values.take(pa.array(random.permutation(len(rows))))
    )
    return _with(rows, {name: pc.if_else(pa.array(random.random(len(rows)) < SHARE), others, values)})


def _with(rows: pa.RecordBatch, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: columns.get(name, rows.column(name)) for name in rows.schema.names})
