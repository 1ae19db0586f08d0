"""Every kind of file gives the same rows, in blocks, and a bad file is refused whole."""

import bz2
import gzip
import io
import json
import lzma
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.contract.schema import Column, Contract
from model_code.rows.tables import FileRefused, check_block, read_blocks, read_table

SHOP = Contract(
    "shop",
    "binary",
    (
        Column("no", "integer", role="key"),
        Column("größe (cm)", "float", minimum=0),
        Column("seen", "timestamp", nullable=True),
        Column("kind", "string", nullable=True, categories=("a", "b")),
        Column("returned", "boolean", role="target"),
    ),
    prior=0.5,
)
HEADER = "no,größe (cm),seen,kind,returned"
GOOD = f"{HEADER}\n1,2.5,2013-04-01,a,true\n2,3,,b,no\n"


def write(tmp_path, name, content):
    file = tmp_path / name
    content = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


ROWS = [
    {"no": 1, "größe (cm)": 2.5, "seen": datetime(2013, 4, 1, tzinfo=UTC), "kind": "a", "returned": True},
    {"no": 2, "größe (cm)": 3.0, "seen": None, "kind": "b", "returned": False},
]
LINES = """{"no": 1, "größe (cm)": 2.5, "seen": "2013-04-01", "kind": "a", "returned": true}

{"no": 2, "größe (cm)": 3, "kind": "b", "returned": false}"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", GOOD),
        ("t.CSV", "\ufeff" + GOOD.replace("\n", "\r\n")),
        ("t.csv.gz", GOOD),
        ("t.csv", GOOD.replace(",", ";")),
        ("t.csv", GOOD.replace(",", "\t")),
        ("t.csv", GOOD.replace(",", "|")),
        ("t.csv", GOOD.replace("\n", "\r")),
        ("t.csv", "\ufeff\n\n" + GOOD),
        ("t.csv", "Sales of April\n\n" + GOOD),
        ("t.csv", "Sales of April,,,,\r\n,,,,\r\n" + GOOD),
        ("t.csv", GOOD.replace(",", " , ").replace("\n", " \n").replace(HEADER.replace(",", " , ") + " ", HEADER)),
        ("t.jsonl", LINES),
        ("t.json.gz", "\ufeff" + LINES),
    ],
)
def test_every_kind_of_file_reads_alike(tmp_path, name, content):
    (checked,) = read_table(write(tmp_path, name, content), SHOP, with_target=True)
    assert checked.accepted.to_pylist() == ROWS
    assert len(checked.quarantined) == 0


def test_parquet_with_other_types_that_hold_the_same_values_reads_alike(tmp_path):
    table = pa.table(
        {
            "returned": [True, False],
            "no": pa.array([Decimal(1), Decimal(2)], pa.decimal128(10, 0)),
            "größe (cm)": pa.array([2.5, 3], pa.float32()),
            "seen": pa.array([date(2013, 4, 1), None]),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    (checked,) = read_table(tmp_path / "t.parquet", SHOP, with_target=True)
    assert checked.accepted.to_pylist() == ROWS


def test_a_bad_row_is_quarantined_as_it_was_read_with_every_problem(tmp_path):
    file = write(tmp_path, "t.csv", GOOD + "x,-1,soon,c,\n4,1,,,yes\n")
    (checked,) = read_table(file, SHOP, with_target=True)
    (bad,) = checked.quarantined.to_pylist()
    assert bad["row_number"] == 3
    assert json.loads(bad["row"]) == {"no": "x", "größe (cm)": "-1", "seen": "soon", "kind": "c", "returned": None}
    assert [(p["column"], p["value"], p["rule"]) for p in json.loads(bad["problems"])] == [
        ("no", "x", "type"),
        ("größe (cm)", -1.0, "minimum"),
        ("seen", "soon", "type"),
        ("kind", "c", "category"),
        ("returned", None, "null"),
    ]
    assert checked.row_numbers.tolist() == [1, 2, 4]
    assert checked.reasons == {"type": 1, "minimum": 1, "category": 1, "null": 1}


def test_rows_to_score_need_no_target_and_lose_one_they_bring(tmp_path):
    without = write(tmp_path, "a.csv", "no,größe (cm),seen,kind\n1,2.5,2013-04-01,a\n")
    with_one = write(tmp_path, "b.csv", f"{HEADER}\n1,2.5,2013-04-01,a,\n")
    one, other = (
        [checked.accepted for checked in read_table(file, SHOP, with_target=False)] for file in (without, with_one)
    )
    assert one == other
    assert one[0].schema.names == ["no", "größe (cm)", "seen", "kind"]


NOTED = replace(SHOP, columns=(*SHOP.columns, Column("shelf", "integer", role="ignored", minimum=0)))


@pytest.mark.parametrize("shelf", [[], ["shelf"]])
def test_rows_to_score_may_leave_away_what_is_ignored(tmp_path, shelf):
    names = ["no", "größe (cm)", "seen", "kind", *shelf]
    cells = ["1", "2.5", "2013-04-01", "a", *[""] * len(shelf)]
    csv_file = write(tmp_path, "t.csv", f"{','.join(names)}\n{','.join(cells)}\n")
    row = {"no": 1, "größe (cm)": 2.5, "seen": datetime(2013, 4, 1, tzinfo=UTC), "kind": "a"}
    lines = write(tmp_path, "t.jsonl", json.dumps({**row, "seen": "2013-04-01", **dict.fromkeys(shelf)}))
    pq.write_table(pa.Table.from_pylist([{**row, **dict.fromkeys(shelf)}]), tmp_path / "t.parquet")
    for file in (csv_file, lines, tmp_path / "t.parquet"):
        (checked,) = read_table(file, NOTED, with_target=False)
        assert checked.accepted.to_pylist() == [{**row, "shelf": None}]


def test_a_row_of_any_depth_is_quarantined_or_refuses_its_file(tmp_path):
    for depth in range(700, 1000, 3):
        for value in ("[" * depth + "]" * depth, '[NaN, {"a": ' * (depth // 2) + "1" + "}]" * (depth // 2)):
            file = write(tmp_path, "t.jsonl", LINES.replace('"kind": "a"', f'"kind": {value}'))
            try:
                (checked,) = read_table(file, SHOP, with_target=True)
            except FileRefused:
                continue
            (bad,) = checked.quarantined.to_pylist()
            assert (bad["row_number"], checked.reasons) == (1, {"type": 1})
            assert json.loads(bad["row"]) and json.loads(bad["problems"])


def test_what_is_ignored_is_still_judged_where_it_is_given(tmp_path):
    file = write(tmp_path, "t.csv", "no,größe (cm),seen,kind,shelf\n1,2.5,,a,x\n2,2.5,,a,-1\n3,2.5,,a,7\n")
    (checked,) = read_table(file, NOTED, with_target=False)
    assert checked.row_numbers.tolist() == [3]
    assert checked.reasons == {"type": 1, "minimum": 1}


@pytest.mark.parametrize("content", [GOOD, f"{HEADER},shelf\n1,2.5,2013-04-01,a,true,\n2,3,,b,no,\n"])
def test_rows_to_learn_from_need_nothing_of_what_is_ignored(tmp_path, content):
    (checked,) = read_table(write(tmp_path, "t.csv", content), NOTED, with_target=True)
    assert checked.accepted.to_pylist() == [{**row, "shelf": None} for row in ROWS]


PARQUET = io.BytesIO()
pq.write_table(pa.table({"no": list(range(1000))}), PARQUET)


def parquet_of(**columns):
    """A file of the shop with other columns in the place of its own."""
    file, row = io.BytesIO(), {"no": [1], "größe (cm)": [1.0], "seen": [None], "kind": ["a"], "returned": [True]}
    pq.write_table(pa.table({**row, **columns}), file)
    return file.getvalue()


NOT_UTF8 = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
FAR = {unit: pa.array([2**62], pa.int64()).cast(pa.timestamp(unit)) for unit in ("ms", "us")}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", gzip.compress(GOOD.encode()), "is gzip, though its name does not end in .gz; rename it"),
        ("t.csv", GOOD.encode("utf-16"), "is UTF-16 text; convert it, e.g. iconv -f UTF-16 -t UTF-8"),
        ("t.csv", GOOD.encode("utf-16-le"), "holds zero bytes, as UTF-16 text does"),
        ("t.csv", GOOD.encode("utf-32"), "is UTF-32 text; convert it, e.g. iconv -f UTF-32 -t UTF-8"),
        ("t.jsonl", LINES.encode("utf-16"), "is UTF-16 text; convert it, e.g. iconv -f UTF-16 -t UTF-8"),
        ("t.csv", b"PK\x03\x04", "is a ZIP archive or an Excel workbook"),
        ("t.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel workbook of before 2007"),
        ("t.csv", bz2.compress(GOOD.encode()), "is compressed with bzip2; unpack it"),
        ("t.csv", lzma.compress(GOOD.encode()), "is compressed with xz; unpack it"),
        ("t.csv", b"\x28\xb5\x2f\xfd\0", "is compressed with Zstandard; unpack it"),
        ("t.csv", "<!DOCTYPE HTML>\n<html>Sign in</html>", "is a web page, of a sign-in perhaps"),
        ("t.jsonl", "version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS and not the file"),
        ("t.csv", GOOD.replace(",", "^"), "They seem to be separated by '^'; separate them by commas"),
        ("t.csv", HEADER + "\n", "has no rows"),
        ("t.jsonl", "\n\n", "has no rows"),
        ("t.xlsx", "", "its name must end in .csv"),
        (
            "t.csv",
            GOOD.replace("größe", "breite"),
            "has no column 'größe (cm)' and has the column 'breite (cm)' that the contract 'shop' does not know",
        ),
        ("t.csv", GOOD.replace("seen", "no"), "the header names 'no' more than once"),
        ("t.csv", GOOD + "3,4\n", "holds two schemas: Expected 5 columns, got 2"),
        ("t.csv", GOOD + '3,4,,a,"true\n', "a double quote is never closed"),
        ("t.csv", GOOD.encode("latin-1"), "is not UTF-8"),
        ("t.csv", GOOD.encode() + b"3,4,,\xff,true\n", "is not UTF-8"),
        ("t.csv.gz", b"not gzip", None),
        ("t.jsonl", '{"no": 1', "line 1 is not JSON"),
        ("t.jsonl", LINES + '\n{"no": 3, "gr', "line 4 is not JSON, broken or cut off"),
        ("t.jsonl", b'{"no": "\xff"}', "is not UTF-8 text (line 1)"),
        ("t.json", '[{"no": 1}]', "is one JSON array; write one object per line"),
        ("t.jsonl", '{"kind": "a"}', "has no column 'größe (cm)', 'no', 'returned'"),
        ("t.jsonl", LINES.replace("kind", "sort"), "has the column 'sort'"),
        ("t.parquet", PARQUET.getvalue()[:-30], "is not a whole Parquet file"),
        ("t.parquet", b"no,a\n", "is not a whole Parquet file"),
        ("t.parquet", PARQUET.getvalue(), "has no column"),
        ("t.parquet", parquet_of(no=[[1]]), "column 'no' is list<element: int64>"),
        ("t.parquet", parquet_of(kind=[{"a": "x"}]), "column 'kind' is struct<a: string>; give text"),
        ("t.parquet", parquet_of(kind=[b"a"]), "column 'kind' is binary; give text"),
        ("t.parquet", parquet_of(kind=NOT_UTF8), "is not UTF-8 text"),
        ("t.parquet", parquet_of(no=NOT_UTF8), "is not UTF-8 text"),
        (
            "t.parquet",
            parquet_of(seen=FAR["us"]),
            "column 'seen' has a timestamp outside the years 1 to 9999; give null",
        ),
        (
            "t.parquet",
            parquet_of(no=FAR["us"]),
            "column 'no' has a timestamp outside the years 1 to 9999; give null",
        ),
        ("t.parquet", parquet_of(seen=FAR["ms"]), "cannot be read: Casting from timestamp[ms] to timestamp[us]"),
    ],
)
def test_a_bad_file_is_refused_whole_and_says_why(tmp_path, name, content, reason):
    file = write(tmp_path, name, content)
    if reason is None:
        file.write_bytes(content)
    for coded in (False, True):
        with pytest.raises(FileRefused) as refusal:
            list(read_blocks(file, SHOP, with_target=True, coded=coded))
        assert str(refusal.value).startswith(f"{file}: ")
        assert (reason or "cannot be read: Not a gzipped file") in str(refusal.value)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_cut_off_gz_file_is_refused(tmp_path, kind):
    content = GOOD if kind == "csv" else LINES
    whole = gzip.compress(content.encode())
    (tmp_path / f"t.{kind}.gz").write_bytes(whole[:-9])
    with pytest.raises(FileRefused, match="is cut off: its compressed data ends early"):
        list(read_table(tmp_path / f"t.{kind}.gz", SHOP, with_target=True))


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="not found"):
        read_table(tmp_path / "none.csv", SHOP, with_target=True)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileRefused, match="is a folder; name a file in it"):
        read_table(tmp_path / "folder.csv", SHOP, with_target=True)


def test_columns_may_come_in_any_order_and_hold_line_breaks(tmp_path):
    text = 'kind,returned,seen,"größe (cm)",no\na,1,2013-04-01,2.5,1\n"b\nb",1,,1,7\nb,0,,3,2\n'
    (checked,) = read_table(write(tmp_path, "t.csv", text), SHOP, with_target=True)
    assert checked.accepted.to_pylist() == ROWS
    assert checked.quarantined["row_number"].to_pylist() == [2]


def test_a_long_file_comes_in_blocks_with_running_row_numbers(tmp_path):
    lines = [f"{n},1.5,2013-04-01T00:00:0{n % 10}Z,a,true" for n in range(1, 200_001)]
    lines[150_000] = "150001,-1,,a,true"
    blocks = list(read_table(write(tmp_path, "t.csv", "\n".join([HEADER, *lines])), SHOP, with_target=True))
    assert len(blocks) > 1
    numbers = [number for block in blocks for number in block.row_numbers.tolist()]
    assert numbers == [*range(1, 150_001), *range(150_002, 200_001)]
    assert [number for block in blocks for number in block.accepted["no"].to_pylist()] == numbers
    assert [n for block in blocks for n in block.quarantined["row_number"].to_pylist()] == [150_001]


def test_only_text_features_of_few_texts_stay_dictionaries(tmp_path):
    shop = replace(SHOP, columns=(*SHOP.columns[:-1], Column("remark", "string"), SHOP.columns[-1]))
    rows = [{**ROWS[n % 2], "no": n, "remark": f"{n}"} for n in range(40_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet", row_group_size=40_000)
    batches = [block.rows for block in read_blocks(tmp_path / "t.parquet", shop, with_target=True, coded=True)]
    plain = [block.rows for block in read_blocks(tmp_path / "t.parquet", shop, with_target=True)]
    texts = ("kind", "remark")
    assert {pa.types.is_dictionary(batch.schema.field("kind").type) for batch in batches} == {True}
    assert {batch.schema.field(name).type for batch in plain for name in texts} == {pa.string()}
    assert {batch.schema.field("remark").type for batch in batches} == {pa.string()}
    assert pa.Table.from_batches(batches).to_pylist() == rows


def test_small_row_groups_are_no_small_blocks(tmp_path):
    """A run stores a limited number of chunks, and none is larger than its block."""
    rows = pa.Table.from_pylist([ROWS[n % 2] for n in range(20_000)])
    for size, blocks in ((1_000, [20_000]), (10_000, [20_000]), (20_000, [20_000])):
        pq.write_table(rows, tmp_path / "t.parquet", row_group_size=size)
        found = [len(block.rows) for block in read_blocks(tmp_path / "t.parquet", SHOP, with_target=True, coded=True)]
        assert found == blocks


def test_row_groups_with_dictionaries_of_their_own_are_read_as_one_file(tmp_path):
    rows = [{**ROWS[0], "no": n, "kind": f"kind {n // 9000}"} for n in range(60_000)]
    shop = replace(SHOP, columns=tuple(replace(column, categories=None) for column in SHOP.columns))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet", row_group_size=25_000)
    blocks = list(read_blocks(tmp_path / "t.parquet", shop, with_target=True, coded=True))
    assert [block.first_row for block in blocks] == [1, 25_001, 50_001]
    assert all(pa.types.is_dictionary(block.rows["kind"].type) for block in blocks)
    checked = [check_block(shop, block.rows, with_target=True, first_row=block.first_row) for block in blocks]
    assert [row for one in checked for row in one.accepted.to_pylist()] == rows


def test_a_null_or_a_fault_within_a_dictionary_counts_only_for_the_rows_that_have_it():
    codes = pa.array([0, 1, None, 3, 0, 3], pa.int8())
    kinds = pa.DictionaryArray.from_arrays(codes, pa.array(["a", None, "z", "b"]))
    rows = pa.RecordBatch.from_pydict({"no": range(6), "größe (cm)": [1.0] * 6, "kind": kinds})
    checked = check_block(SHOP, rows, with_target=False)
    assert (checked.row_numbers.tolist(), checked.reasons) == ([1, 2, 3, 4, 5, 6], {})
    assert checked.accepted["kind"].to_pylist() == ["a", None, None, "b", "a", "b"]
    strict = replace(
        SHOP, columns=tuple(replace(column, nullable=False) for column in SHOP.columns if column.name != "seen")
    )
    checked = check_block(strict, rows.slice(1), with_target=False)
    assert (checked.row_numbers.tolist(), checked.reasons) == ([3, 4, 5], {"null": 2})


def test_decimals_and_nanoseconds_are_what_their_digits_are_read_as(tmp_path):
    texts = ["65.46", "0.07", "-1234567.89", "9007199254740.93"]
    columns = {"no": pa.array([Decimal(n) for n in range(4)]), "größe (cm)": pa.array(list(map(Decimal, texts)))}
    columns["seen"] = pa.array([-500, 999, 1000, None], pa.timestamp("ns"))
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (checked,) = read_table(
        tmp_path / "t.parquet", replace(SHOP, columns=(*SHOP.columns[:1], *UNBOUNDED)), with_target=False
    )
    assert checked.accepted.column("größe (cm)").to_pylist() == list(map(float, texts))
    assert checked.accepted.column("no").to_pylist() == [0, 1, 2, 3]
    micros = checked.accepted.column("seen").cast(pa.int64()).to_pylist()
    assert micros == [-1, 0, 1, None]


UNBOUNDED = (
    Column("größe (cm)", "float"),
    Column("seen", "timestamp", nullable=True),
    Column("returned", "boolean", role="target"),
)


def test_ids_beyond_what_a_float_keeps_are_keys_by_their_digits(tmp_path):
    ids = [1729382256910270464, 1729382256910270465]
    contract = Contract("ids", "binary", (Column("id", "string", role="key"), *UNBOUNDED[2:]), prior=0.5)
    pq.write_table(pa.table({"id": ids, "returned": [True, False]}), tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"id": one, "returned": True}) + "\n" for one in ids))
    for name in ("t.parquet", "t.jsonl"):
        (checked,) = read_table(tmp_path / name, contract, with_target=True)
        assert checked.accepted.column("id").to_pylist() == list(map(str, ids))


def test_a_file_with_the_reasons_of_its_quarantine_is_read_without_them(tmp_path):
    text = GOOD.replace("\n", ",x\n").replace("returned,x", "returned,why quarantined")
    (checked,) = read_table(write(tmp_path, "t.csv", text), SHOP, with_target=True)
    assert checked.accepted.to_pylist() == ROWS


def test_a_header_that_comes_again_is_quarantined_and_the_rows_around_it_are_read(tmp_path):
    (checked,) = read_table(write(tmp_path, "t.csv", GOOD + GOOD), SHOP, with_target=True)
    assert checked.accepted.to_pylist() == ROWS + ROWS
    assert (checked.row_numbers.tolist(), checked.reasons) == ([1, 2, 4, 5], {"header": 1})
