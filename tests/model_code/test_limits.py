"""The short way from a request's bytes to its reply is taken only where it says what the contract's own way says."""

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_code.answering import CSV, FORMS, JSON, LINES, PARSE, WRITE, RequestRefused, answer, respond
from model_code.artefact import open_artefact
from model_code.limits import limits_of

ODD = [
    None, True, False, 0, -0.0, 1, 2, 30, 4, 9.99, 10, -1, 3.0, 3.5, 1e-320, 1e308, 10**400, 2**53, 2**53 + 1,
    1e-7, "", "A", "B", "C", "D", "30", "Sorte 7 ß", "never seen", "yes", "2024-01-02T03:04:05Z", "2024-01-02",
    "\ud800", "é" * 512, "é" * 513, "x" * 1024, "x" * 1025, [], {}, float("nan"),
]  # fmt: skip


def the_long_way(artefact, body, kind):
    answers, _ = answer(artefact.contract, artefact.scorer, PARSE[kind](artefact.contract, body))
    return WRITE[kind](artefact, answers)


def read(body, kind):
    if kind == CSV:
        return [[float(cell) for cell in line.split(",") if cell] for line in body.decode().split("\n")]
    return json.loads(body) if kind == JSON else [json.loads(line) for line in body.splitlines()]


@pytest.fixture(scope="module", params=["gradient_boosting", "logistic_regression", "prior"])
def artefact(project, request):
    return open_artefact(project.models[request.param])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    "", "0", "-1", "+3", "007", "1" * 17, "1" * 18, "2.", "2.000", "2.0001", ".5", "5e0", "1e3", "1e-7", "1e99999", "1e400",
    "nan", "inf", "0x10", "1_000", " 1", "\u0661", "true", "T", "YES", "no", "0.0", "A", "Sorte 7 ß", "never seen", "x" * 1025,
    '"B"', '"a,b"', '"say ""x"""', '""', '"open', "\x00", "lift",
]  # fmt: skip


def test_both_ways_give_one_answer_to_any_cell_of_a_csv(artefact, project):
    names = [column.name for column in artefact.contract.features]
    good = [as_cell(project.rows[1].get(name)) for name in names]
    for place, cell in itertools.product(range(len(names)), CELLS):
        line = [*good[:place], cell, *good[place + 1 :]]
        both_ways_agree(artefact, "\r\n".join(map(",".join, [good, line])))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_ways_give_one_answer_to_a_csv_with_any_header(artefact, project, data):
    every = [column.name for column in artefact.contract.columns]
    names = data.draw(
        st.one_of(st.permutations(every), st.lists(st.sampled_from([*every, "stranger", ""]), min_size=1, max_size=6))
    )
    rows = data.draw(st.lists(st.sampled_from(project.rows[:60]), max_size=4))
    lines = [names, *([as_cell(row.get(name)) for name in names] for row in rows)]
    both_ways_agree(artefact, "\n".join(map(",".join, lines)))


def both_ways_agree(artefact, text):
    body = text.encode()
    assert told(lambda: respond(artefact, body, CSV, CSV).body) == told(lambda: the_long_way(artefact, body, CSV)), text


def as_cell(value):
    return "" if value is None else str(value)


def told(work):
    try:
        return read(work(), CSV)
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
    assert short(b"5.0,A\n5.0,B\n", FORMS[CSV])[1] == short(b"from,parcel,weight\nA,,5\n\nB,7,5e0\n", FORMS[CSV])[1] == 2
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
            engine.hold_to(wrong, False)
