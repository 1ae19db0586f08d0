"""The short way from a request's bytes to its reply is taken only where it says what the contract's own way says."""

import csv
import io
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.contract.schema import Column, Contract
from model_code.answers.answering import MOST_ANSWERS, answer, respond
from model_code.answers.bodies import parse, write
from model_code.answers.media_types import CSV, FORMS, LINES
from model_code.answers.reply import JSON, RequestRefused
from model_code.artefact.folder import open_artefact
from model_code.engines.limits import limits_of

ROOT = Path(__file__).resolve().parents[3]
ODD = [
    None,
    True,
    False,
    0,
    -0.0,
    1,
    2,
    30,
    4,
    9.99,
    10,
    -1,
    3.0,
    3.5,
    1e-320,
    1e308,
    10**400,
    2**53,
    2**53 + 1,
    1e-7,
    "",
    "A",
    "B",
    "C",
    "D",
    "30",
    "Sorte 7 ß",
    "never seen",
    "yes",
    "2024-01-02T03:04:05Z",
    "2024-01-02",
    "\ud800",
    "é" * 512,
    "é" * 513,
    "x" * 1024,
    "x" * 1025,
    [],
    {},
    float("nan"),
]


def the_long_way(artefact, body, kind):
    answers, _ = answer(artefact.contract, artefact.scorer, parse(artefact.contract, body, kind).rows)
    return write(artefact, answers, kind)


def read(body, kind):
    if kind == CSV:
        lines = csv.reader(io.StringIO(body.decode(), newline=""))
        return [line if "" in line else [float(cell) for cell in line] for line in lines]
    return json.loads(body) if kind == JSON else [json.loads(line) for line in body.splitlines()]


@pytest.fixture(scope="module", params=["gradient_boosting", "logistic_regression", "prior"])
def artefact(project, request):
    return open_artefact(project.models[request.param])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_both_ways_give_one_answer_to_any_rows(artefact, project, data):
    rows = [dict(row) for row in data.draw(st.lists(st.sampled_from(project.rows[:60]), min_size=1, max_size=4))]
    names = [*(column.name for column in artefact.contract.columns), "stranger"]
    for row, name, value in data.draw(
        st.lists(st.tuples(st.sampled_from(rows), st.sampled_from(names), st.sampled_from(ODD)), max_size=4)
    ):
        row[name] = value
        if data.draw(st.booleans()):
            row.pop(data.draw(st.sampled_from(names)), None)
    for kind, body in ((JSON, json.dumps({"instances": rows})), (LINES, "\n".join(map(json.dumps, rows)))):
        short = respond(artefact, body.encode(), kind, kind).body
        assert read(short, kind) == read(the_long_way(artefact, body.encode(), kind), kind)


CELLS = [
    "",
    "0",
    "-1",
    "+3",
    "007",
    "1" * 17,
    "1" * 18,
    "2.",
    "2.000",
    "2.0001",
    ".5",
    "5e0",
    "1e3",
    "1e-7",
    "1e99999",
    "1e400",
    "nan",
    "inf",
    "0x10",
    "1_000",
    " 1",
    "\u0661",
    "true",
    "T",
    "YES",
    "no",
    "0.0",
    "A",
    "Sorte 7 ß",
    "never seen",
    "x" * 1025,
    '"B"',
    '"a,b"',
    '"say ""x"""',
    '""',
    '"open',
    "\x00",
    "lift",
]


def test_both_ways_give_one_answer_to_any_cell_of_a_csv(artefact, project):
    names = [column.name for column in artefact.contract.features]
    good = [as_cell(project.rows[1].get(name)) for name in names]
    for place, cell in itertools.product(range(len(names)), CELLS):
        line = [*good[:place], cell, *good[place + 1 :]]
        both_ways_agree(artefact, "\r\n".join(map(",".join, [good, line])))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_both_ways_give_one_answer_to_a_csv_with_any_header(artefact, project, data):
    every = [column.name for column in artefact.contract.columns]
    names = data.draw(
        st.one_of(st.permutations(every), st.lists(st.sampled_from([*every, "stranger", ""]), min_size=1, max_size=6))
    )
    rows = data.draw(st.lists(st.sampled_from(project.rows[:60]), max_size=4))
    lines = [names, *([as_cell(row.get(name)) for name in names] for row in rows)]
    both_ways_agree(artefact, "\n".join(map(",".join, lines)))


@pytest.mark.parametrize(
    ("kind", "body"),
    [(JSON, '{"instances": []}'), (LINES, ""), (LINES, " \r\n\n"), (CSV, ""), (CSV, "\r\r\n"), (CSV, "HEADER\r")],
)
def test_a_body_of_no_rows_is_answered_by_none(artefact, kind, body):
    header = ",".join(column.name for column in artefact.contract.columns)
    both_ways_agree(artefact, body.replace("HEADER", header), kind)
    assert artefact.scorer.reply_within(body.replace("HEADER", header).encode(), FORMS[kind])[1] == 0


PIECES = [
    "",
    ",",
    ",",
    ",",
    '"',
    '""',
    '"a,b"',
    '"say ""x"""',
    "\r",
    "\n",
    "\r\n",
    "\ufeff",
    "size",
    '"two\nlines"',
    "ü",
    "late",
    "1",
    "-1",
    "2.0",
    "5.5",
    "1e30",
    "true",
    "no",
    "a",
    "é",
    "7",
    " ",
    "\x00",
    "\x0b",
    "\x1c",
    "\x85",
    "\u2028",
    '"two\r\nlines"',
    "x" * 1025,
]
LINE_ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\r"]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_both_ways_give_one_answer_to_any_pieces_of_a_csv(quoted, pieces):
    both_ways_agree(quoted, "".join(pieces))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_both_ways_give_one_answer_to_a_csv_of_quoted_names_and_texts(quoted, quotes, data):
    every, features = ([column.name for column in some] for some in (quotes.contract.columns, quotes.contract.features))
    names, has_header = data.draw(st.tuples(st.permutations(every), st.just(True)) | st.just((features, False)))
    rows = data.draw(st.lists(st.sampled_from(quotes.rows[:60]), max_size=3))
    lines = [names] * has_header + [[as_cell(row.get(name)) for name in names] for row in rows]
    texts = [",".join(map(as_quoted, line)) for line in lines]
    if texts and data.draw(st.booleans()):
        texts[-1] += data.draw(st.sampled_from(PIECES))
    end = data.draw(st.sampled_from(LINE_ENDS))
    both_ways_agree(
        quoted, data.draw(st.sampled_from(["", "\ufeff"])) + end.join(texts) + data.draw(st.sampled_from(["", end]))
    )


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_both_ways_give_one_answer_wherever_a_json_line_has_its_spaces(quoted, quotes, data):
    spaces = st.sampled_from([*[" "] * 20, "", "\t", "\r", " \r", "\n", "\x0b"])
    ends = st.sampled_from(["\n", "\r", "\r\n", "\n\n", "\n \n", "\x0b\n", ""])
    text = ""
    for row in data.draw(st.lists(st.sampled_from(quotes.rows[:60]), max_size=3)):
        parts = json.dumps(row).split(" ")
        text += "".join(part + data.draw(spaces) for part in parts) + data.draw(ends)
    both_ways_agree(quoted, text, LINES)


@pytest.fixture(scope="module")
def quoted(quotes):
    return open_artefact(quotes.models["gradient_boosting"])


@pytest.fixture(scope="module")
def written(quotes):
    """The model under a contract with missing markers and a notation of numbers, which the kernel does not know."""
    artefact = open_artefact(quotes.models["gradient_boosting"])
    marked = {"string": {"missing": ("a", "NA")}, "float": {"decimal": ",", "thousands": ".", "missing": ("?",)}}
    columns = [replace(column, **marked.get(column.type, {})) for column in artefact.contract.columns]
    contract = replace(artefact.contract, columns=tuple(columns))
    artefact.scorer.set_limits(limits_of(contract), listed=False)
    return replace(artefact, contract=contract)


WRITTEN = ["a", "NA", "?", "b", "1.5", "1,5", "1.500", " 1", "x ", "", 1, 1.5, None]


def test_both_ways_give_one_answer_to_markers_and_notations(written, quotes):
    names = [column.name for column in written.contract.features]
    for name, value in itertools.product(names, WRITTEN):
        row = {**quotes.rows[1], name: value}
        both_ways_agree(written, json.dumps({"instances": [row]}), JSON)
        both_ways_agree(written, ",".join(as_quoted(as_cell(row.get(other))) for other in names) + "\n")


def test_spaces_around_a_cell_change_no_answer(quoted, quotes):
    names = [column.name for column in quoted.contract.features]
    cells = [as_cell(quotes.rows[1].get(name)) for name in names]
    plain = respond(quoted, (",".join(map(as_quoted, cells)) + "\n").encode(), CSV, CSV).body
    for space in (" ", "\t", "\u00a0"):
        body = ",".join(as_quoted(f"{space}{cell}{space}") for cell in cells).encode()
        assert respond(quoted, body, CSV, CSV).body == plain


LONG = 2**17  # characters that Python's csv takes in a cell


@pytest.mark.parametrize("key", ["x" * LONG, "x" * (LONG + 1), "é" * LONG, "é" * (LONG + 1)])
def test_both_ways_refuse_a_csv_for_a_cell_that_is_too_long_also_where_nobody_reads_it(quoted, key):
    both_ways_agree(quoted, f'"the, key",size\n{key},1\n')
    both_ways_agree(quoted, "0" * len(key) + "1,a,1,true,x\n")


@pytest.mark.parametrize(
    "key", ["9" * 4300, "9" * 4301, "-" + "9" * 4301, "9" * 4301 + ".5", "9" * 4301 + "e1", "1e999"]
)
def test_both_ways_give_one_answer_to_a_number_that_nobody_reads(quoted, key):
    row = f'{{"size": 1, "the, key": {key}}}'
    both_ways_agree(quoted, row, LINES)
    both_ways_agree(quoted, f'{{"instances": [{row}]}}', JSON)
    both_ways_agree(quoted, f'{{"instances": [{{"size": 1}}], "more": {key}}}', JSON)


@pytest.mark.parametrize("size", [1e30, 9.999999999999999e29, -5, -5.000000000000001, 10**30, 10**30 + 1])
def test_both_ways_hold_a_number_to_a_limit_between_two_floats(quoted, size):
    """The contract's 10**30 is no float64, and the nearest is above it."""
    both_ways_agree(quoted, json.dumps({"size": size}), LINES)
    both_ways_agree(quoted, f"{size!r},a,1,true,x\n")


def test_limits_are_rounded_inwards_to_what_a_float_can_be():
    columns = (Column("x", "float", minimum=2**53 + 1, maximum=2**54 + 3), Column("y", "integer", minimum=-(2**53) - 1))
    limits = limits_of(Contract("t", "binary", columns, prior=0.5))
    assert [limit[2:4] for limit in limits] == [(2.0**53 + 2, 2.0**54), (-(2.0**53), float("inf"))]


def test_a_csv_may_begin_with_the_mark_that_spreadsheets_write(quoted, quotes):
    text = 'size,"say ""x"""\n1.5,a\n'
    assert respond(quoted, b"\xef\xbb\xbf" + text.encode(), CSV, CSV) == respond(quoted, text.encode(), CSV, CSV)
    assert len(parse(quotes.contract, b"\xef\xbb\xbf" + text.encode(), CSV).rows) == 1


def test_a_category_is_allowed_by_the_whole_of_its_text(quoted):
    kernel = quoted.scorer._engine
    limits = limits_of(quoted.contract)
    body = json.dumps({"instances": [{'say "x"': "a"}]}).encode()
    assert kernel.reply_within(body, FORMS[JSON]) is not None
    try:
        kernel.set_limits([*limits[:1], (*limits[1][:4], ("a\0b",)), *limits[2:]], False)
        assert kernel.reply_within(body, FORMS[JSON]) is None
    finally:
        kernel.set_limits(limits, False)


def test_threads_that_reply_at_once_do_not_disturb_each_other(quoted, quotes):
    reply = quoted.scorer.reply_within
    bodies = [
        json.dumps({"instances": quotes.rows[start : start + count]}).encode()
        for start in range(8)
        for count in (1, 290)
    ]
    wanted = [reply(body, FORMS[JSON]) for body in bodies]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda body: reply(body, FORMS[JSON]), bodies * 20)) == wanted * 20


ONE_HUGE_BODY = """
import sys
from pathlib import Path
from model_code.artefact.folder import open_artefact

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

reply_within, body = open_artefact(Path(sys.argv[1])).scorer.reply_within, b"{}\\n" * 1_000_000
before = resident_mb()
assert reply_within(body, 1)[1] == 1_000_000
print(resident_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is looked up as Linux tells it")
def test_a_body_of_many_rows_leaves_no_memory_behind(quotes):
    command = [sys.executable, "-c", ONE_HUGE_BODY, quotes.models["gradient_boosting"]]
    at_once = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back to the system at once
    run = subprocess.run(command, cwd=ROOT, env=at_once, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 8


def test_more_answers_than_a_reply_may_have_are_refused_and_not_made(quotes):
    artefact = open_artefact(quotes.models["gradient_boosting"])
    assert artefact.scorer.reply_within(b"{}\n" * (MOST_ANSWERS + 1000), FORMS[LINES]) is None
    with pytest.raises(RequestRefused) as refused:
        answer(artefact.contract, artefact.scorer, [{}] * (MOST_ANSWERS + 1))
    assert (refused.value.status, refused.value.code) == (413, "too_many_answers")
    assert str(refused.value) == "4,194,305 rows ask for 4,194,305 numbers: must be at most 4,194,304; send fewer rows"


def test_the_classes_of_a_row_count_as_its_answers(parcels):
    artefact = open_artefact(parcels.models["gradient_boosting"])
    with pytest.raises(RequestRefused, match="1,398,102 rows ask for 4,194,306 numbers: must be at most"):
        answer(artefact.contract, artefact.scorer, [{}] * (MOST_ANSWERS // 3 + 1))


def both_ways_agree(artefact, text, kind=CSV):
    body = text.encode()
    short, long = (told(way, artefact, body, kind) for way in (lambda *of: respond(*of, of[-1]).body, the_long_way))
    assert short == long, text[:200]


def as_cell(value):
    return "" if value is None else str(value)


def as_quoted(text):
    return f'"{text}"'.replace('"', '""')[1:-1] if set(text) & set(',"\r\n') else text


def told(way, artefact, body, kind):
    try:
        return read(way(artefact, body, kind), kind)
    except RequestRefused as refusal:
        return str(refusal)


def test_the_short_way_is_taken_by_whole_bodies(parcels, rents):
    short = open_artefact(parcels.models["gradient_boosting"]).scorer.reply_within
    good, body = {"parcel": 1, "weight": 5.0, "from": "A"}, lambda *rows: json.dumps({"instances": rows}).encode()
    reply, rows = short(body(good, good), FORMS[JSON])
    assert rows == 2 and json.loads(reply)["classes"] == [1, 2, 3]
    assert short(body(good, {**good, "weight": -0.1}), FORMS[JSON]) is None
    assert short(body(good, {**good, "from": "D"}), FORMS[JSON]) is None
    assert short(body(good, {**good, "from": None}), FORMS[JSON]) is None
    assert short(body(good)[:-1], FORMS[JSON]) is None
    reply, rows = short(json.dumps(good).encode() + b"\n", FORMS[LINES])
    assert rows == 1 and sum(json.loads(reply)) == pytest.approx(1)
    assert (
        short(b"5.0,A\n5.0,B\n", FORMS[CSV])[1] == short(b"from,parcel,weight\nA,,5\n\nB,7,5e0\n", FORMS[CSV])[1] == 2
    )
    house = open_artefact(rents.models["logistic_regression"]).scorer.reply_within
    assert house(b"70,yes,3\n71,no,\n", FORMS[CSV])[1] == 2 and house(b"70,yes,3e0\n", FORMS[CSV]) is None
    assert house(body({"m²": 70, "lift": True}), FORMS[JSON]) is not None
    assert house(body({"m²": 9.99, "lift": True}), FORMS[JSON]) is None


def test_what_json_has_in_another_type_than_the_model_is_left_to_the_contract(returns):
    limits = dict(zip((column.name for column in returns.contract.features), limits_of(returns.contract), strict=True))
    infinite = float("inf")
    assert limits["shelf"] == (False, False, infinite, -infinite, ())
    assert limits["1st.order"] == (True, False, -infinite, infinite, None)


def test_the_kernel_wants_a_limit_for_each_column(returns):
    engine = open_artefact(returns.models["gradient_boosting"]).scorer._engine
    for wrong in ([], [(True,)], [None] * 4, [(True, False, 0.0, 1.0, [object()])] * 4):
        with pytest.raises((ValueError, TypeError)):
            engine.set_limits(wrong, False)
