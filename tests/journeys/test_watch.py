"""A release is watched by its own commands: answers are captured, outcomes come, and a look tells what moved."""

import json
import math
import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.conftest import drafted, eventually, write_csv

MANY = 400


@pytest.fixture(scope="module")
def gym(tmp_path_factory):
    """A project drafted from a table of members who leave or stay, trained, whose answers are captured at once."""
    table = write_csv(tmp_path_factory.mktemp("watch") / "members.csv", ["age", "visits", "left"], members(4000))
    with drafted(table, target="left", name="gym") as journey:
        with (journey.project / "fairway.toml").open("a") as settings:
            settings.write("\n[monitoring]\ncapture_seconds = 1\nschedule = 'off'\n")
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        assert journey.fairway("train")["verdict"] == "approved"
        yield journey


def members(count: int, *, oldest: float = 80.0):
    draw = random.Random(11)
    for _ in range(count):
        age, visits = draw.uniform(18, oldest), draw.uniform(0, 40)
        leaves = 1 / (1 + math.exp((age - 45) / 10 + (visits - 15) / 6))
        yield [f"{age:.2f}", f"{visits:.2f}", "yes" if draw.random() < leaves else "no"]


def captured(journey) -> int:
    listed = journey.aws("s3").list_objects_v2(Bucket=journey.address()["lake"], Prefix="captured/")
    return len(listed.get("Contents", []))


def test_a_window_tells_what_moved_and_what_became_of_it(gym):
    today = datetime.now(UTC)
    asked = [{"age": float(age), "visits": float(visits)} for age, visits, _ in members(MANY, oldest=30.0)]
    answers = [answer for start in range(0, MANY, 100) for answer in gym.predict(*asked[start : start + 100])]
    assert {answer["source"] for answer in answers} <= {"model", "function"}
    wrong = [{"prediction_id": each["id"], "outcome": "no" if each["prediction"] else "yes"} for each in answers]
    sent = gym.data / "outcomes.jsonl"
    sent.write_text("".join(json.dumps(each) + "\n" for each in wrong))
    for _ in range(2):  # the second time changes nothing
        gym.fairway("outcomes", sent)
    eventually(lambda: counted(gym, today)["rows"] == MANY, within_s=300, pause_s=2)

    shown = counted(gym, today)

    assert shown["state"] == "declined"
    kinds = {each["kind"] for each in shown["findings"]}
    moved = [each for each in shown["findings"] if each.get("column") == "age"]
    assert kinds >= {"decline", "feature", "prediction"} and moved[0]["since"] == shown["run"]
    ((release, outcomes),) = shown["outcomes"].items()
    assert (outcomes["outcomes"], outcomes["wrong"], outcomes["is_open"]) == (MANY, MANY, False)
    assert shown["releases"][release]["rows"] == MANY
    assert gym.fairway("watch")["windows"] == [shown]
    assert gym.fairway("watch", "--window", today.isoformat())["window"] == shown


def counted(gym, today: datetime) -> dict:
    """Today's window, as it will be looked at when it is over and its outcomes have come."""
    later = (today + timedelta(days=3)).isoformat()
    looked = gym.fairway("watch", "--run", "--window", f"{today:%Y-%m-%d}", "--as-of", later)
    return looked["window"]


def test_a_window_in_which_nobody_asked_has_no_data(gym):
    shown = gym.fairway("watch", "--run", "--window", "2013-04-01")["window"]
    assert (shown["state"], shown["rows"], shown["releases"]) == ("no data", 0, {})
