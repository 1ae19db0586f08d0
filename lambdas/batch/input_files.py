"""Check a file by its first bytes, so that a wrong one is refused before an instance is started."""

import json
import zlib
from collections.abc import Callable

from domain.batch.csv_head import REASONS, csv_head, unread_separator
from domain.contract.schema import Contract

HEAD_BYTES = 64 * 1024  # read of each file
KINDS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")
PARQUET = b"PAR1"
SMALLEST_PARQUET_BYTES = 12
GZIP = b"\x1f\x8b"

ReadSpan = Callable[[str], bytes]  # in HTTP's notation: 0-65535, or -8 for the last eight bytes


def _kind_of(key: str) -> str | None:
    return next((kind for kind in sorted(KINDS, key=len, reverse=True) if key.lower().endswith(kind)), None)


def file_problem(key: str, size: int, *, contract: Contract, read: ReadSpan) -> str:
    """Return the reason why the file cannot be scored, as far as its first bytes show; empty if there is none."""
    kind = _kind_of(key)
    if kind is None:
        return f"must be one of {', '.join(KINDS)}"
    if size == 0:
        return "is empty"
    head = read(f"0-{HEAD_BYTES - 1}")
    if kind == ".parquet":
        return _parquet_problem(head, size, read)
    if kind.endswith(".gz"):
        if not head.startswith(GZIP):
            return "is not gzip, although its name ends in .gz"
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error:
            return "is damaged: its gzip cannot be read; send it again"
    is_whole = size <= HEAD_BYTES if not kind.endswith(".gz") else len(head) < HEAD_BYTES
    if kind.startswith((".csv", ".tsv")):
        return _header_problem(head, is_whole, contract)
    line, newline, _ = head.partition(b"\n")
    is_whole = bool(newline) or is_whole
    return "" if not is_whole or _is_object(line) else "its first line is not a JSON object of column names to values"


def _parquet_problem(head: bytes, size: int, read: ReadSpan) -> str:
    if size < SMALLEST_PARQUET_BYTES or not head.startswith(PARQUET):
        return "is not Parquet, although its name ends in .parquet"
    tail = read("-8")
    if not tail.endswith(PARQUET) or int.from_bytes(tail[:4], "little") > size - SMALLEST_PARQUET_BYTES:
        return "is truncated: its Parquet footer is missing; send it again"
    return ""


def _header_problem(head: bytes, is_whole: bool, contract: Contract) -> str:
    """Return the reason why the header does not fit the contract, with every missing or unknown column."""
    header = csv_head(head, is_whole=is_whole)
    if header.problem:
        return header.problem
    columns = [name for name in header.names if name != REASONS]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    missing = [name for name in contract.header(with_target=False) if name not in columns]
    unknown = [name for name in columns if name not in contract.by_name]
    problems = [f"has no column {_listed(missing)}"] if missing else []
    problems += (
        [f"has the column {_listed(unknown)} that the contract {contract.name!r} does not know"] if unknown else []
    )
    problems += [f"names {_listed(twice)} more than once"] if twice else []
    return " and ".join(problems) + (unread_separator(columns) if problems else "")


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
