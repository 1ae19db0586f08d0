import gzip

import pytest

from lambdas.batch.input_files import HEAD_BYTES, file_problem
from tests.lambdas import stage

NAMES = [column.name for column in stage.CONTRACT.columns if column.role != "target"]
HEADER = ",".join(NAMES).encode()
PARQUET = b"PAR1" + b"data" * 10 + b"footer" + (6).to_bytes(4, "little") + b"PAR1"


def problem(name: str, body: bytes) -> str:
    def read(span: str) -> bytes:
        first, _, last = span.partition("-")
        return body[-int(last) :] if not first else body[int(first) : int(last) + 1]

    return file_problem(name, len(body), contract=stage.CONTRACT, read=read)


OTHER_KIND = "must be one of .csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .json, .jsonl.gz, .json.gz, .parquet"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("rows.csv", HEADER + b"\n1,2,3\n"),
        ("ROWS.CSV", HEADER + b"\r\n1,2,3\r\n"),
        ("rows.csv", b"\xef\xbb\xbf" + HEADER + b"\n"),
        ("rows.csv", HEADER + b",late\n"),
        ("rows.csv", HEADER.replace(b",month", b"") + b"\n"),  # which the contract ignores
        ("rows.csv", ",".join(f'"{name}"' for name in reversed(NAMES)).encode() + b"\n"),
        ("rows.csv", HEADER + b"\n" + b"x" * 200_000),
        ("rows.csv.gz", gzip.compress(HEADER + b"\n" + b"1,2\n" * 100_000)),
        ("rows.parquet", PARQUET),
        ("rows.jsonl", b'{"hour": 1}\n{"hour": 2}\n'),
        ("rows.json", b'{"hour": 1}'),
        ("rows.jsonl.gz", gzip.compress(b'{"hour": 1}\n')),
        ("rows.jsonl", b'{"hour": "' + b"x" * 200_000),
    ],
)
def test_a_file_that_may_be_scored_has_no_problem(name, body):
    assert problem(name, body) == ""


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        (
            "rows.xlsx",
            b"PK",
            OTHER_KIND,
        ),
        (
            "rows",
            b"a,b",
            OTHER_KIND,
        ),
        ("rows.csv", b"", "is empty"),
        ("rows.csv", HEADER.replace(b",hour", b"") + b"\n", "has no column 'hour'"),
        ("rows.csv", HEADER + b",color\n", "has the column 'color' that the contract 'flights' does not know"),
        ("rows.csv", HEADER + b",hour\n", "names 'hour' more than once"),
        ("rows.csv", b"\xff\xfe\n", "is UTF-16 text; convert it, e.g. iconv -f UTF-16 -t UTF-8"),
        ("rows.csv", b"gr\xfcn\n", "is not UTF-8 text; convert it, e.g. iconv -f LATIN1 -t UTF-8"),
        ("rows.csv", gzip.compress(HEADER), "is gzip, though its name does not end in .gz; rename it, or unpack it"),
        ("rows.csv", b"x" * (HEAD_BYTES + 1), "has no line end within 65,536 bytes; a CSV file starts with its header"),
        ("rows.csv.gz", HEADER, "is not gzip, although its name ends in .gz"),
        ("rows.csv.gz", b"\x1f\x8b" + b"x" * 50, "is damaged: its gzip cannot be read; send it again"),
        ("rows.parquet", HEADER, "is not Parquet, although its name ends in .parquet"),
        ("rows.parquet", b"PAR1PAR1", "is not Parquet, although its name ends in .parquet"),
        ("rows.parquet", PARQUET[:-1], "is truncated: its Parquet footer is missing; send it again"),
        ("rows.jsonl", b"1,2,3\n", "its first line is not a JSON object of column names to values"),
        ("rows.jsonl", b"[1]\n", "its first line is not a JSON object of column names to values"),
        ("rows.json.gz", gzip.compress(b"{"), "its first line is not a JSON object of column names to values"),
    ],
)
def test_a_file_that_cannot_be_scored_says_why(name, body, expected):
    assert problem(name, body) == expected


def test_a_parquet_file_whose_footer_is_longer_than_the_file_is_cut_off():
    assert (
        problem("rows.parquet", b"PAR1" + (1000).to_bytes(4, "little") + b"PAR1")
        == "is truncated: its Parquet footer is missing; send it again"
    )


@pytest.mark.parametrize(
    "body",
    [
        HEADER.replace(b",", b";") + b"\n",
        b"\n\n" + HEADER + b"\n",
        HEADER + b"\r" + b"1," * HEADER.count(b",") + b"1\r",
        b"A title\n" + HEADER + b"\n" + b"1," * HEADER.count(b",") + b"1\n",
        HEADER + b",why quarantined\n",
    ],
)
def test_a_header_is_found_whatever_separates_or_precedes_it(body):
    assert problem("rows.csv", body) == ""
