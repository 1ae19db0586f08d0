"""Rows are taken back: their record first, then their parts, and again without harm."""

import json

import pytest

from fairway.stage import loads
from tests.fairway.commands.test_load import load_records, table, week


def counting(place) -> list[str]:
    return sorted(one["file"]["S"] for one in load_records(place) if one["kind"]["S"] == "load")


@pytest.fixture
def loaded(place, tmp_path):
    one, two = week(tmp_path / "one.csv", 1, 2), table(tmp_path / "two.csv", {"hour": "25"}, {"flight_id": "UA7"})
    ids = [file["load"] for file in place.values("load", one, two)["files"]]
    return place, one, two, ids


def test_a_file_is_unloaded_with_its_quarantine_and_the_others_stay(loaded):
    place, _, two, ids = loaded
    before = place.keys("")
    done = place.values("unload", two)
    assert done == {
        "rows": 1,
        "unloaded": [{"load": ids[1], "file": "two.csv", "accepted": 1, "quarantined": 1, "already": False}],
    }
    assert counting(place) == ["one.csv"]
    assert place.keys("") == [key for key in before if ids[1] not in key] != before


@pytest.mark.parametrize("way", ["name", "id"])
def test_a_load_is_named_by_its_file_or_by_its_id(loaded, way):
    place, _, _, ids = loaded
    place.values("unload", {"name": "one.csv", "id": ids[0]}[way])
    assert counting(place) == ["two.csv"]


def test_again_it_changes_nothing_and_the_file_can_be_loaded_again(loaded):
    place, one, _, ids = loaded
    place.values("unload", one)
    code, out, _ = place.run("unload", one)
    assert (code, out) == (0, f"one.csv (load {ids[0]}): was unloaded before\n")
    assert place.values("unload", one)["rows"] == 0
    place.values("load", one)
    assert counting(place) == ["one.csv", "two.csv"]
    assert [key for key in place.keys("rows/") if ids[0] in key]
    assert place.values("unload", one)["unloaded"][0]["already"] is False


def test_what_was_killed_before_its_parts_were_deleted_is_taken_up_by_the_next_try(loaded, monkeypatch):
    place, one, _, ids = loaded

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loads, "delete_parts", killed)
    assert place.run("unload", one)[0] == 130
    monkeypatch.undo()
    assert counting(place) == ["two.csv"] and [key for key in place.keys("rows/") if ids[0] in key]
    place.values("unload", one)
    assert not [key for key in place.keys("rows/") if ids[0] in key]


def test_a_name_of_two_loads_and_one_of_none_are_refused_with_what_there_is(loaded, tmp_path):
    place, one, _, ids = loaded
    (tmp_path / "other").mkdir()
    other = week(tmp_path / "other/one.csv", 8)
    place.values("load", other)
    one.unlink()
    code, out, _ = place.run("unload", "one.csv", "--json")
    assert code == 2 and "2 loads have this name" in json.loads(out)["message"] and ids[0] in out
    week(other, 9)
    assert "other/one.csv: its content differs from the loaded file" in place.run("unload", other)[2]
    assert "must be a loaded file or the id of a load" in place.run("unload", "three.csv")[2]
    assert counting(place) == ["one.csv", "one.csv", "two.csv"]


def test_rows_are_not_taken_from_a_training_run_that_is_under_way(loaded):
    place, one, _, _ = loaded
    place.machine("train", Wait={"Type": "Wait", "Seconds": 60})
    arn = json.loads(place.aws("ssm").get_parameter(Name="/fairway/flights/local")["Parameter"]["Value"])["train"]
    going = place.aws("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps({"run": "train-1"}))
    try:
        code, out, _ = place.run("unload", one, "--json")
        assert (code, json.loads(out)["error"]) == (1, "under_way")
        assert "train-1 is in progress" in json.loads(out)["message"]
        assert counting(place) == ["one.csv", "two.csv"]
    finally:
        place.aws("stepfunctions").stop_execution(executionArn=going["executionArn"])
    place.values("unload", one)
