"""What really happened, from a file to the API."""

import json

import pytest

from tests.fairway.client.server import serving


def join(request):
    count = len(request["body"])
    return 200, {"accepted": count, "joined": count - 1, "unmatched": 1}


@pytest.fixture
def sent(place):
    with serving(join) as (url, seen):
        place.enter(api_url=url)
        yield seen


def rows(sent: list) -> list:
    return sorted((row for request in sent for row in request["body"]), key=json.dumps)


def test_outcomes_go_in_requests_of_a_hundred_and_are_counted(place, sent, tmp_path):
    file = tmp_path / "happened.csv"
    file.write_text(
        "entity_id,outcome,event_time\n"
        + "".join(f"UA{n:03},{'true' if n % 2 else 'no'},2013-04-01\n" for n in range(250))
    )
    assert place.values("outcomes", file) == {"accepted": 250, "joined": 247, "unmatched": 3}
    assert sorted(len(request["body"]) for request in sent) == [50, 100, 100]
    assert rows(sent)[1] == {"entity_id": "UA001", "outcome": True, "event_time": "2013-04-01T00:00:00Z"}


def test_json_lines_name_predictions_or_entities_and_a_null_outcome_is_not_known_yet(place, sent, tmp_path):
    file = tmp_path / "happened.jsonl"
    lines = [
        {"prediction_id": "p1", "outcome": True, "event_time": "2013-04-01"},
        {"entity_id": 7, "outcome": False},
        {"entity_id": "e", "outcome": None},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert place.values("outcomes", file)["accepted"] == 2
    assert rows(sent) == [{"entity_id": "7", "outcome": False}, {"prediction_id": "p1", "outcome": True}]


def test_the_contracts_own_table_tells_outcomes_by_its_key_and_event_time(place, sent, tmp_path):
    file = tmp_path / "flights.csv"
    file.write_text("flight_id,departure,late,hour\nUA1,2013-04-01T10:00:00+02:00,true,5\nUA2,2013-04-01,,6\n")
    assert place.values("outcomes", file)["accepted"] == 1
    assert rows(sent) == [{"entity_id": "UA1", "event_time": "2013-04-01T08:00:00Z", "outcome": True}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"entity_id": "e", "outcome": "maybe"}, "outcome = 'maybe': must be true or false"),
        ({"outcome": True}, "needs either entity_id or prediction_id, has neither"),
        ({"entity_id": "e", "prediction_id": "p", "outcome": True}, "has entity_id and prediction_id"),
        ({"entity_id": "e", "outcome": True, "event_time": "1/4/2013"}, "event_time = '1/4/2013'"),
        ({"late": True}, "has neither an outcome column nor the contract's 'flight_id'"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_sent(place, sent, tmp_path, line, said):
    file = tmp_path / "happened.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ({"entity_id": "e", "outcome": True}, line)))
    code, _, err = place.run("outcomes", file)
    assert code == 2
    assert f"{file}: row 2: " in err and said in err and "nothing was sent" in err
    assert sent == []


@pytest.mark.parametrize("target", ["outcome", "late"])
def test_a_table_whose_own_columns_are_called_as_the_apis_is_joined_by_its_key(place, sent, tmp_path, target):
    contract = place.folder / "flights/contract.toml"
    text = contract.read_text().replace(
        "[columns.carrier]", '[columns.entity_id]\ntype = "string"\n\n[columns.carrier]'
    )
    if target == "outcome":
        text = text.replace('column = "late"', 'column = "outcome"').replace("[columns.late]", "[columns.outcome]")
    else:
        text = text.replace("[columns.carrier]", '[columns.outcome]\ntype = "string"\n\n[columns.carrier]', 1)
    contract.write_text(text)
    file = tmp_path / "flights.csv"
    names = list(dict.fromkeys(["flight_id", "entity_id", "departure", "outcome", target]))
    values = {"flight_id": "UA1", "entity_id": "store1", "departure": "2013-04-01", "outcome": "x", target: "true"}
    file.write_text(",".join(names) + "\n" + ",".join(values[name] for name in names) + "\n")
    assert place.values("outcomes", file)["accepted"] == 1
    assert rows(sent) == [{"entity_id": "UA1", "event_time": "2013-04-01T00:00:00Z", "outcome": True}]


@pytest.mark.parametrize("when", ["9999-12-31", "2099-01-01T00:00:00Z"])
def test_an_outcome_that_is_still_to_come_is_refused_before_any_is_sent(place, sent, tmp_path, when):
    file = tmp_path / "happened.csv"
    file.write_text(f"entity_id,outcome,event_time\nUA1,true,2013-04-01\nUA2,true,{when}\n")
    code, _, err = place.run("outcomes", file)
    assert code == 2
    assert f"row 2: event_time = '{when[:10]}T00:00:00Z': must not be in the future; send an outcome once" in err
    assert sent == []
