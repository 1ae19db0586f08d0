"""The short way from a request's bytes to its reply is taken only where it says what the contract's own way says."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_code.answering import JSON, LINES, PARSE, WRITE, answer, respond
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


def test_the_short_way_is_taken_by_whole_bodies(parcels, rents):
    short = open_artefact(parcels.models["gradient_boosting"]).scorer.reply_within
    good, body = {"parcel": 1, "weight": 5.0, "from": "A"}, lambda *rows: json.dumps({"instances": rows}).encode()
    reply, rows = short(body(good, good), False)
    assert rows == 2 and json.loads(reply)["classes"] == [1, 2, 3]
    assert short(body(good, {**good, "weight": -0.1}), False) is None
    assert short(body(good, {**good, "from": "D"}), False) is None
    assert short(body(good, {**good, "from": None}), False) is None
    assert short(body(good)[:-1], False) is None
    reply, rows = short(json.dumps(good).encode() + b"\n", True)
    assert rows == 1 and sum(json.loads(reply)) == pytest.approx(1)
    house = open_artefact(rents.models["logistic_regression"]).scorer.reply_within
    assert house(body({"m²": 70, "lift": True}), False) is not None
    assert house(body({"m²": 9.99, "lift": True}), False) is None


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
