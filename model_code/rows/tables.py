"""The contract on tables: files checked block by block, with the verdicts of `domain.contract.values` on each row.

Arrow's kernels prove most values right (`columns.py`); each other distinct value is judged by the domain itself, so
the two cannot disagree.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.batch.csv_head import REASONS, unread_separator
from domain.contract.schema import Contract
from domain.contract.text import SPACES
from domain.contract.values import HEADER_AGAIN, Problem, repeats_header
from model_code.refusals import FileRefused
from model_code.rows.blocks import Block, Rows, Source
from model_code.rows.column_values import ARROW_TYPES
from model_code.rows.columns import judge
from model_code.rows.quarantine import quarantined
from model_code.rows.readers import open_source, titles_above

__all__ = [
    "Checked",
    "FileRefused",
    "check_block",
    "open_source",
    "read_blocks",
    "read_table",
    "schema_of",
    "titles_above",
]


@dataclass(frozen=True)
class Checked:
    """A checked block.

    `accepted`: the good rows in the contract's columns and Arrow types, or dictionaries of those. `row_numbers`: their
    places in the file, from 1. `quarantined`: the bad rows (see `quarantine.py`). `reasons`: how many broke each rule.
    """

    accepted: pa.RecordBatch
    row_numbers: np.ndarray
    quarantined: pa.RecordBatch
    reasons: Counter[str]


def schema_of(contract: Contract, *, with_target: bool) -> pa.Schema:
    return pa.schema(
        [(column.name, ARROW_TYPES[column.type]) for column in contract.columns_to_check(with_target=with_target)]
    )


def read_table(file: Path | str, contract: Contract, *, with_target: bool) -> Iterator[Checked]:
    """Check the file's rows, in the file's order and in bounded memory.

    Raises FileRefused: at once for a file that cannot be opened or has other columns than the contract, while
    iterating for a fault further down. So blocks must not count before the last one was read.
    """
    blocks = read_blocks(file, contract, with_target=with_target)
    return (checked(contract, block, with_target=with_target) for block in blocks)


def read_blocks(file: Path | str, contract: Contract, *, with_target: bool, coded: bool = False) -> Iterator[Block]:
    """Read the file's rows like `read_table`, unchecked. `coded`: text features may stay dictionaries, also when they
    are checked.
    """
    texts = {column.name for column in contract.features if column.type == "string"} if coded else ()
    source = open_source(file, coded=texts)
    if source.columns is not None:
        _refuse_other_columns(source.file, set(source.columns), set(source.columns), contract, with_target)
    return _numbered_blocks(source, contract, with_target)


def read_part(file: Path | str, contract: Contract) -> Iterator[Checked]:
    """Check the rows of a part of the lake, whatever contract they were loaded under.

    A column that the contract does not have is left out, and one that the part does not have is null in every row.
    Raises FileRefused for a part that cannot be read.
    """
    blocks = _numbered_blocks(open_source(file), contract, True)
    return (checked(contract, block, with_target=True) for block in blocks)


def _numbered_blocks(source: Source, contract: Contract, with_target: bool) -> Iterator[Block]:
    first = 1
    for rows in source.blocks:
        if source.columns is None and first == 1:
            _refuse_other_keys(source.file, rows, contract, with_target)
        yield Block(rows, first, source.is_text)
        first += len(rows)


def checked(contract: Contract, block: Block, *, with_target: bool) -> Checked:
    return check_block(contract, block.rows, with_target=with_target, is_text=block.is_text, first_row=block.first_row)


def _refuse_other_columns(
    file: Path, some: AbstractSet[str], every: AbstractSet[str], contract: Contract, with_target: bool
) -> None:
    """Refuse the file unless its columns are the contract's; some row has `some`, every row has `every`."""
    needed = set(contract.header(with_target=with_target))
    missing, unknown = needed - some, every - set(contract.by_name) - {REASONS}
    if not missing and not unknown:
        return
    wrong = [f"has no column {_listed(missing)}"] if missing else []
    wrong += [f"has the column {_listed(unknown)} that the contract {contract.name!r} does not know"] if unknown else []
    raise FileRefused(
        file,
        f"{' and '.join(wrong)}; its columns: {_listed(some)}"
        f"{unread_separator(list(some)) or '. Add or rename columns, or change the contract'}",
    )


def _refuse_other_keys(file: Path, rows: list[Any], contract: Contract, with_target: bool) -> None:
    """Refuse JSON Lines, which have no header, by the columns of their first rows."""
    keys = {frozenset(row) for row in rows if isinstance(row, dict)}
    if keys:
        _refuse_other_columns(file, frozenset.union(*keys), frozenset.intersection(*keys), contract, with_target)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


# ---- one block


def check_block(
    contract: Contract, block: Rows, *, with_target: bool, is_text: bool = False, first_row: int = 1
) -> Checked:
    """Check each row of a block; `first_row` is the place of its first row in the file."""
    objects = _objects_of(block)
    kept: dict[str, pa.Array] = {}
    faults = _row_faults(contract, objects)
    for column in contract.columns_to_check(with_target=with_target):
        kept[column.name], wrong = judge(column, _cells(objects, column.name), is_text=is_text)
        for row, problems in wrong:
            faults.setdefault(row, []).extend(problems)
    faults |= _shape_faults(block) | _header_faults(block, is_text=is_text)
    accepted = pa.RecordBatch.from_pydict(kept)
    numbers = np.arange(first_row, first_row + len(block))
    bad = sorted(faults)
    if bad:
        good = np.ones(len(block), dtype=bool)
        good[bad] = False
        accepted, numbers = accepted.filter(pa.array(good)), numbers[good]
    reasons = Counter(rule for problems in faults.values() for rule in {problem.rule for problem in problems})
    return Checked(accepted, numbers, quarantined(block, bad, faults, first_row), reasons)


def _objects_of(block: Rows) -> Rows:
    """Put {} in the place of each decoded line that is not an object; `_shape_faults` has those."""
    return [row if isinstance(row, dict) else {} for row in block] if isinstance(block, list) else block


def _cells(block: Rows, name: str) -> pa.Array | list[Any]:
    if isinstance(block, list):
        return [row.get(name) for row in block]
    index = block.schema.get_field_index(name)
    return block.column(index) if index >= 0 else pa.nulls(len(block), pa.string())


def _row_faults(contract: Contract, block: Rows) -> dict[int, list[Problem]]:
    """Find columns that the contract does not know; only JSON Lines can have them in some rows."""
    allowed = f"is not in the contract {contract.name!r}"
    if not isinstance(block, list):
        return {}
    known = contract.by_name.keys()
    return {
        index: [Problem(name, row[name], "unknown_column", allowed) for name in row if name not in known]
        for index, row in enumerate(block)
        if not row.keys() <= known
    }


def _shape_faults(block: Rows) -> dict[int, list[Problem]]:
    if not isinstance(block, list):
        return {}
    allowed = "must be an object of column names to values"
    return {i: [Problem("(row)", row, "type", allowed)] for i, row in enumerate(block) if not isinstance(row, dict)}


def _header_faults(block: Rows, *, is_text: bool) -> dict[int, list[Problem]]:
    """Find rows that repeat the header, as where files were joined. Arrow finds the candidates, the domain decides."""
    rows = _maybe_headers(block)
    return {
        index: [HEADER_AGAIN] for index, row in rows if isinstance(row, dict) and repeats_header(_read(row, is_text))
    }


def _maybe_headers(block: Rows) -> Iterable[tuple[int, Any]]:
    if isinstance(block, list):
        return enumerate(block)
    return ((index, block.slice(index, 1).to_pylist()[0]) for index in like_the_header(block))


def like_the_header(block: pa.RecordBatch) -> list[int]:
    """Return the places of rows whose texts are the names of their columns, spaces around them apart."""
    names = [name for name in block.schema.names if name != REASONS]
    places = np.arange(len(block)) if len(names) > 1 else np.arange(0)
    for name in names:
        values = block.column(block.schema.get_field_index(name))
        values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        if not len(places) or not pa.types.is_string(values.type):
            return []
        cells = pc.utf8_trim(values.take(pa.array(places)), SPACES)
        places = places[pc.fill_null(pc.equal(cells, name.strip(SPACES)), False).to_numpy(zero_copy_only=False)]
    found: list[int] = places.tolist()
    return found


def _read(row: dict[str, Any], is_text: bool) -> dict[str, Any]:
    return {name: (value or "").strip(SPACES) if is_text else value for name, value in row.items() if name != REASONS}
