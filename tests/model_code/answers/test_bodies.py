"""CSV bodies: a first line of names is a header, and a header that is not the contract's is refused by name."""

import pytest

from domain.contract.schema import Column, Contract
from model_code.answers.answering import respond
from model_code.answers.bodies import parse
from model_code.answers.media_types import CSV
from model_code.answers.reply import RequestRefused
from model_code.artefact.folder import open_artefact
from tests.model_code.folders import training_folder

TARGET = Column("y", "boolean", role="target")
SHOP = Contract(
    "shop",
    "binary",
    (
        *(Column(name, "float", nullable=True) for name in "abc"),
        Column("channel", "string", categories=("web", "store")),
        Column("remark", "string", role="ignored", nullable=True),
        TARGET,
    ),
    prior=0.5,
)
PLACES = Contract("places", "binary", (Column("city", "string"), Column("street", "string"), TARGET), prior=0.5)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("b,a,c,Channel", "'Channel'"),  # other order, one name in capitals: by place it would be scored
        ("A,B,C,CHANNEL", "'A', 'B', 'C', 'CHANNEL'"),
        (" a,b,c,channel", "' a'"),
        ("w,x,y2,z", "'w', 'x', 'y2', 'z'"),
        ("id,a,b,c,channel", "'id'"),
        ("a,b,c,channel,", None),  # an empty cell is no name: a row of five cells
    ],
)
def test_a_header_that_is_not_the_contracts_is_refused_by_name(header, named):
    body = f"{header}\n-2.0,1.5,0.1,web\n".encode()
    if named is None:
        assert parse(SHOP, body, CSV).rows[0] == "cells = 5: must be 4, one for each of 'a', 'b', 'c', 'channel'"
        return
    with pytest.raises(RequestRefused) as refused:
        parse(SHOP, body, CSV)
    assert (refused.value.status, refused.value.code) == (400, "bad_request")
    assert str(refused.value) == (
        f"the CSV header names {named}: must be in the contract 'shop', whose features are 'a', 'b', 'c', 'channel'; "
        "correct the header, or omit it and keep this order"
    )


def test_a_header_that_names_a_column_twice_is_refused():
    with pytest.raises(RequestRefused, match=r"the CSV header names 'a': must be named once for the contract 'shop'"):
        parse(SHOP, b"a,a,b,channel\n1,2,3,web\n", CSV)


@pytest.mark.parametrize(
    "header", ["c,channel,b,a", "c,remark,channel,b,a", "y,c,channel,b,a"], ids=["features", "ignored", "target"]
)
def test_a_header_of_the_contracts_names_gives_the_order(header):
    cells = {"a": "1", "b": "2", "c": "3", "channel": "web", "remark": "x", "y": "true"}
    body = f"{header}\n{','.join(cells[name] for name in header.split(','))}\n"
    (row,) = parse(SHOP, body.encode(), CSV).rows
    assert {name: row[name] for name in ("a", "b", "c", "channel")} == {"a": 1.0, "b": 2.0, "c": 3.0, "channel": "web"}


@pytest.mark.parametrize(
    "line",
    [
        "1,2,3,a",  # a wrong category that is the name of a column, among numbers
        "x,y,z,web",  # no number reads, but the category is one
        ",,,",
        "nan,x,y,z",
        "1,2,3",
    ],
)
def test_a_row_at_fault_in_the_first_line_is_a_row(line):
    assert len(parse(SHOP, f"{line}\n1,2,3,web\n".encode(), CSV).rows) == 2


@pytest.mark.parametrize("header", ["City,street", "city,Street", "CITY,STREET"])
def test_a_header_over_free_text_is_known_by_a_name_in_it(header):
    with pytest.raises(RequestRefused, match="the CSV header names '"):
        parse(PLACES, f"{header}\nRome,Via Appia\n".encode(), CSV)
    assert len(parse(PLACES, b"Rome,Via Appia\n", CSV).rows) == 1


def test_a_wrong_header_is_refused_by_the_server_before_the_kernel_scores_it_as_a_row(parcels, run_verb, tmp_path):
    rows = [{"city": "Rome", "street": f"Via {n % 3}", "y": n % 2 == 0} for n in range(60)]
    assert run_verb("train", training_folder(tmp_path, PLACES, rows, "prior")) == 0
    for artefact, body in (
        (open_artefact(parcels.models["gradient_boosting"]), b"Weight,from\n9.0,C\n"),
        (open_artefact(tmp_path / "model"), b"City,street\nRome,Via 1\n"),
    ):
        assert respond(artefact, body.partition(b"\n")[2], CSV).rows == 1
        with pytest.raises(RequestRefused, match="must be in the contract"):
            respond(artefact, body, CSV)


def test_a_csv_row_without_an_answer_has_its_reason_behind_empty_cells(parcels, returns):
    parcel = open_artefact(parcels.models["gradient_boosting"])
    lines = respond(parcel, b"9.0,C\n-1,C\n9.0\n", CSV).body.decode().splitlines()
    assert [line.count(",") for line in lines[:1]] == [2]
    assert lines[1:] == [
        ",,,weight = -1.0: must be at least 0",
        ",,,\"cells = 1: must be 2, one for each of 'weight', 'from'\"",
    ]
    binary = open_artefact(returns.models["prior"])
    reply = respond(binary, b"shelf\n7\n", CSV)
    assert reply.body.decode().startswith(",") and "shelf = 7: must be one of 1, 2, 30" in reply.body.decode()
    assert (reply.rows, reply.refused) == (1, 1)
