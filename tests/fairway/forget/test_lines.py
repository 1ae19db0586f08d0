"""Text files without the entity: whatever stays keeps its bytes."""

import gzip
import io
import json

import pytest

from domain.contract.schema import Contract, from_dict
from fairway.forget.entity import Entity
from fairway.forget.form import Found, Unreadable
from fairway.forget.lines import FORMS

CONTRACT: Contract = from_dict(
    {
        "name": "orders",
        "task": "binary",
        "columns": {
            "number": {"type": "integer", "role": "key"},
            "note": {"type": "string"},
            "good": {"type": "boolean"},
        },
        "target": {"column": "good", "prior": 0.5},
    }
)
OWN = Entity("7", CONTRACT)


def without(ending: str, content: bytes, tmp_path) -> tuple[Found, bytes]:
    """What is found of the entity, and the file without it."""
    packed = ending.endswith(".gz")
    body = gzip.compress(content) if packed else content
    found = FORMS[ending].look(io.BytesIO(body), OWN)
    FORMS[ending].write(io.BytesIO(body), OWN, tmp_path / "out")
    out = (tmp_path / "out").read_bytes()
    return found, gzip.decompress(out) if packed else out


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv"])
@pytest.mark.parametrize(
    "lines",
    [
        (b"number,note\n", b"7,a\n", b"8,b\n"),
        (b"number;note\r\n", b"7;a\r\n", b"8;b\r\n"),
        (b"\xef\xbb\xbfnumber,note\n", b"7,a\n", b"8,b\n"),
        (b"note,number\n", b'"two\nlines, ""quoted""",7\n', b'"7\n7",8\n'),
        (b"Orders of May\n\nnumber,note\n", b" 7 ,a\n", b"8,\xc3\xa9 7\n"),
        (b"number,note\r", b"7,a\r", b"8,b\r"),
        (b"number,note\n", b"7.0,a\n", b"77,b"),
    ],
)
def test_of_csv_in_any_dialect_only_the_entitys_records_go(lines, ending, tmp_path):
    head, own, other = lines
    found, left = without(ending, head + own + other, tmp_path)
    assert (found, left) == (Found(1, 1), head + other)


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".jsonl.gz"])
def test_of_json_lines_only_the_entitys_go(ending, tmp_path):
    own, other = b'{"number": 7, "note": "a"}\n', b'{"note":"7",  "number":8}\n\n'
    assert without(ending, own + other + own, tmp_path) == (Found(2, 1), other)


def test_of_a_batchs_results_the_rows_go_and_the_head_stays(tmp_path):
    head = json.dumps({"all_rows": {}, "each_row": ["row_number", "entity_id"], "shard_id": "s"}).encode() + b"\n"
    found, left = without(".jsonl.gz", head + b'[1, "7"]\n[2, "8"]\n', tmp_path)
    assert (found, left) == (Found(1, 1), head + b'[2, "8"]\n')


@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        (".csv", b"a,b\n1,2\n", "has no column 'number'"),
        (".csv", b"PAR1....", "is Parquet"),
        (".csv.gz", gzip.compress(b"number,note\n7,a\n" * 1000)[:-20], "cannot be read to its end"),
        (".jsonl", b'[{"number": 7}]', "is one JSON array"),
        (".jsonl", b'{"number": 8}\n{"number": 7', "cannot be read to its end"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(ending, content, reason):
    with pytest.raises(Unreadable, match=reason):
        FORMS[ending].look(io.BytesIO(content), OWN)
