"""What depends on a column, as far as the contract shows, and which columns a name stands for."""

import difflib

from domain.contract.schema import Column, Contract

USES = {
    "feature": "each prediction, in requests, batches and training",
    "key": "the name of an entity: routing, the join of outcomes, which of two rows counts",
    "event_time": "the windows of training and evaluation, and the age of the rows",
    "target": "training, evaluation and outcomes; predictions do not need it",
    "ignored": "nothing: no model reads it",
}


class Unknown(Exception):
    """Report that the contract has no such column, source or owner; the message lists those it has."""


def columns_named(contract: Contract, name: str) -> list[Column]:
    """Return the column of this name, else the columns of this source, else those of this owner. Raises Unknown."""
    if name in contract.by_name:
        return [contract.by_name[name]]
    for columns in (
        [column for column in contract.columns if column.source == name],
        [column for column in contract.columns if column.owner == name],
    ):
        if columns:
            return columns
    sources = sorted({text for column in contract.columns for text in (column.source, column.owner) if text})
    known = [*contract.by_name, *sources]
    close = difflib.get_close_matches(name, known, 1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise Unknown(f"{name!r}: must be a column, source or owner of the contract: {', '.join(known)}{meant}")
