"""JSON Lines files: lists of decoded lines, one object a line."""

import gzip
import json
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Any

from domain.batch.csv_head import not_text
from model_code.refusals import Malformed
from model_code.rows.blocks import Opened

_BLOCK_BYTES = 4 << 20


def open_lines(file: Path, _: Container[str]) -> Opened:
    stream: gzip.GzipFile | IO[bytes] = gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb")  # noqa: SIM115 - the reader that is returned closes it
    return Opened(None, False, _line_blocks(stream))


def _line_blocks(stream: gzip.GzipFile | IO[bytes]) -> Iterator[list[Any]]:
    first = 1
    with stream:
        while lines := stream.readlines(_BLOCK_BYTES):
            if first == 1:
                lines[0] = _first_line(lines[0])
            try:
                yield [json.loads(line.decode()) for line in lines if not line.isspace()]
            except (ValueError, RecursionError):
                _refuse_first_bad_line(lines, first)
            first += len(lines)


def _first_line(line: bytes) -> bytes:
    problem = not_text(line)
    if problem:
        raise Malformed(problem)
    line = line.removeprefix(b"\xef\xbb\xbf")
    if line.lstrip().startswith(b"["):
        raise Malformed("is one JSON array; write one object per line (JSON Lines)")
    return line


def _refuse_first_bad_line(lines: list[bytes], first: int) -> None:
    for number, line in enumerate(lines, first):
        try:
            if not line.isspace():
                json.loads(line.decode())
        except UnicodeDecodeError:
            raise Malformed(f"is not UTF-8 text (line {number}); convert it, e.g. iconv -f LATIN1 -t UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise Malformed(f"line {number} is not JSON, broken or cut off: {error}") from None
