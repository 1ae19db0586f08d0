"""The contract on tables: files checked block by block, with exactly the verdicts that domain.contract.values gives row
by row.

Arrow's kernels prove most values right (`columns.py`); each other distinct value is judged by the domain itself, so
the two cannot disagree.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.batch.csv_head import REASONS
from domain.contract.schema import Contract
from domain.contract.text import SPACES
from domain.contract.values import HEADER_AGAIN, Problem, repeats_header
from model_code.rows.columns import ARROW_TYPES, judge
from model_code.rows.readers import FileRefused, Source, open_source, titles_above

__all__ = [
    "Block",
    "Checked",
    "FileRefused",
    "check_block",
    "open_source",
    "read_blocks",
    "read_table",
    "schema_of",
    "titles_above",
]

QUARANTINE = pa.schema([("row_number", pa.int64()), ("row", pa.string()), ("problems", pa.string())])


class Block(NamedTuple):
    """Rows as they were read, still to be checked. `first_row`: the place of the first one in the file, from 1."""

    rows: pa.RecordBatch | list
    first_row: int
    is_text: bool


@dataclass(frozen=True)
class Checked:
    """A checked block.

    `accepted`: the good rows in the contract's columns and Arrow types, or dictionaries of those. `row_numbers`: their
    places in the file, from 1. `quarantined`: row_number, the row as it was read and its problems [{column, value,
    rule, allowed}], both JSON text. `reasons`: how many rows broke each rule.
    """

    accepted: pa.RecordBatch
    row_numbers: np.ndarray
    quarantined: pa.RecordBatch
    reasons: Counter


def schema_of(contract: Contract, *, with_target: bool) -> pa.Schema:
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in contract.held_to(with_target=with_target)])


def read_table(file: Path | str, contract: Contract, *, with_target: bool) -> Iterator[Checked]:
    """The file's rows, checked, in the file's order and in bounded memory.

    Raises FileRefused: at once for a file that cannot be opened or has other columns than the contract, while
    iterating for a fault further down. Whoever writes what this yields must make it count only after the last block.
    """
    blocks = read_blocks(file, contract, with_target=with_target)
    return (checked(contract, block, with_target=with_target) for block in blocks)


def read_blocks(file: Path | str, contract: Contract, *, with_target: bool, coded: bool = False) -> Iterator[Block]:
    """The same before the check, for who checks several blocks at a time. `coded`: text features may stay dictionaries,
    also when they are checked.
    """
    texts = {column.name for column in contract.features if column.type == "string"} if coded else ()
    source = open_source(file, coded=texts)
    if source.columns is not None:
        refuse_other_columns(source.file, set(source.columns), set(source.columns), contract, with_target)
    return numbered_blocks(source, contract, with_target)


def read_part(file: Path | str, contract: Contract) -> Iterator[Checked]:
    """Check the rows of a part of the lake, whatever contract they were loaded under.

    A column that the contract does not have is left out, and one that the part does not have is null in every row.
    Raises FileRefused for a part that cannot be read.
    """
    blocks = numbered_blocks(open_source(file), contract, True)
    return (checked(contract, block, with_target=True) for block in blocks)


def numbered_blocks(source: Source, contract: Contract, with_target: bool) -> Iterator[Block]:
    first = 1
    for rows in source.blocks:
        if source.columns is None and first == 1:
            refuse_other_keys(source.file, rows, contract, with_target)
        yield Block(rows, first, source.is_text)
        first += len(rows)


def checked(contract: Contract, block: Block, *, with_target: bool) -> Checked:
    return check_block(contract, block.rows, with_target=with_target, is_text=block.is_text, first_row=block.first_row)


def refuse_other_columns(file: Path, some: set, every: set, contract: Contract, with_target: bool) -> None:
    """`some` are the columns that some row has, `every` those that every row has."""
    needed = set(contract.header(with_target=with_target))
    missing, unknown = needed - some, every - set(contract.by_name) - {REASONS}
    if not missing and not unknown:
        return
    found = [f"has no column {listed(missing)}"] if missing else []
    found += [f"has the column {listed(unknown)} that the contract {contract.name!r} does not know"] if unknown else []
    raise FileRefused(
        file, f"{' and '.join(found)}; its columns: {listed(some)}. Add or rename columns, or change the contract"
    )


def refuse_other_keys(file: Path, rows: list, contract: Contract, with_target: bool) -> None:
    """JSON Lines have no header: a column counts as missing when no early row has it."""
    keys = {frozenset(row) for row in rows if isinstance(row, dict)}
    if keys:
        refuse_other_columns(file, frozenset.union(*keys), frozenset.intersection(*keys), contract, with_target)


def listed(names: set) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


# ---- one block


def check_block(
    contract: Contract, block: pa.RecordBatch | list, *, with_target: bool, is_text: bool = False, first_row: int = 1
) -> Checked:
    """The verdict on each row of a RecordBatch or of a list of dicts."""
    objects = objects_of(block)
    kept, faults = {}, row_faults(contract, objects)
    for column in contract.held_to(with_target=with_target):
        kept[column.name], found = judge(column, cells(objects, column.name), is_text=is_text)
        for row, problems in found:
            faults.setdefault(row, []).extend(problems)
    faults |= shape_faults(block) | _header_faults(block, is_text=is_text)
    accepted = pa.RecordBatch.from_pydict(kept)
    numbers = np.arange(first_row, first_row + len(block))
    bad = sorted(faults)
    if bad:
        good = np.ones(len(block), dtype=bool)
        good[bad] = False
        accepted, numbers = accepted.filter(pa.array(good)), numbers[good]
    reasons = Counter(rule for problems in faults.values() for rule in {problem.rule for problem in problems})
    return Checked(accepted, numbers, quarantine(block, bad, faults, first_row), reasons)


def objects_of(block: pa.RecordBatch | list) -> pa.RecordBatch | list:
    """Decoded lines with {} in the place of what is no object; `shape_faults` has those."""
    return [row if isinstance(row, dict) else {} for row in block] if isinstance(block, list) else block


def cells(block: pa.RecordBatch | list, name: str) -> pa.Array | list:
    if isinstance(block, list):
        return [row.get(name) for row in block]
    index = block.schema.get_field_index(name)
    return block.column(index) if index >= 0 else pa.nulls(len(block), pa.string())


def row_faults(contract: Contract, block: pa.RecordBatch | list) -> dict[int, list[Problem]]:
    """Columns that the contract does not know; only JSON Lines can have them in some rows."""
    allowed = f"is not in the contract {contract.name!r}"
    if not isinstance(block, list):
        return {}
    known = contract.by_name.keys()
    return {
        index: [Problem(name, row[name], "unknown_column", allowed) for name in row if name not in known]
        for index, row in enumerate(block)
        if not row.keys() <= known
    }


def shape_faults(block: pa.RecordBatch | list) -> dict[int, list[Problem]]:
    if not isinstance(block, list):
        return {}
    allowed = "must be an object of column names to values"
    return {i: [Problem("(row)", row, "type", allowed)] for i, row in enumerate(block) if not isinstance(row, dict)}


def _header_faults(block: pa.RecordBatch | list, *, is_text: bool) -> dict[int, list[Problem]]:
    """Rows that repeat the header, as where files were joined. Arrow finds the candidates, the domain decides."""
    if isinstance(block, list):
        rows = enumerate(block)
    else:
        rows = ((index, block.slice(index, 1).to_pylist()[0]) for index in like_the_header(block))
    return {
        index: [HEADER_AGAIN] for index, row in rows if isinstance(row, dict) and repeats_header(_read(row, is_text))
    }


def like_the_header(block: pa.RecordBatch) -> list[int]:
    """Rows whose texts are the names of their columns, as far as spaces around them do not matter."""
    names = [name for name in block.schema.names if name != REASONS]
    found = np.arange(len(block)) if len(names) > 1 else np.arange(0)
    for name in names:
        values = block.column(block.schema.get_field_index(name))
        values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        if not len(found) or not pa.types.is_string(values.type):
            return []
        cells = pc.utf8_trim(values.take(pa.array(found)), SPACES)
        found = found[pc.fill_null(pc.equal(cells, name.strip(SPACES)), False).to_numpy(zero_copy_only=False)]
    return found.tolist()


def _read(row: dict, is_text: bool) -> dict:
    return {name: (value or "").strip(SPACES) if is_text else value for name, value in row.items() if name != REASONS}


def quarantine(block: pa.RecordBatch | list, bad: list[int], faults: dict, first_row: int) -> pa.RecordBatch:
    rows = (
        [block[index] for index in bad]
        if isinstance(block, list)
        else block.take(pa.array(bad, pa.int64())).to_pylist()
    )
    return pa.RecordBatch.from_pydict(
        {
            "row_number": [first_row + index for index in bad],
            "row": [as_json(row) for row in rows],
            "problems": [as_json([problem._asdict() for problem in faults[index]]) for index in bad],
        },
        schema=QUARANTINE,
    )


def as_json(value) -> str:
    try:
        return plain_json(value)
    except RecursionError:  # what Python could just read, it cannot always write again
        return json.dumps("(nested too deeply to be shown)")


def plain_json(value) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except ValueError:  # NaN and infinities, which JSON does not have
        return json.dumps(without_nan(value), default=str)


def without_nan(value):
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
