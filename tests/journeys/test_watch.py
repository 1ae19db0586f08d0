"""A release is watched by its own commands: answers are captured, outcomes come, a look tells what moved, and what was
lost starts a training by itself.
"""

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
            settings.write("\n[monitoring]\ncapture_seconds = 1\nschedule = 'off'\n\n")
            settings.write("[business]\ntrue_positive_usd = 40.0\nfalse_positive_usd = -12.0\n")
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        assert journey.fairway("train")["verdict"] == "approved"
        yield journey


def members(count: int, *, oldest: float = 80.0, otherwise: bool = False):
    """Draw members; `otherwise` those stay who would have left."""
    draw = random.Random(11)
    for _ in range(count):
        age, visits = draw.uniform(18, oldest), draw.uniform(0, 40)
        leaves = 1 / (1 + math.exp((age - 45) / 10 + (visits - 15) / 6))
        yield [f"{age:.2f}", f"{visits:.2f}", "yes" if (draw.random() < leaves) != otherwise else "no"]


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
    assert shown["estimates"] == {release: {"refused": "0 outcomes to calibrate on, 200 are needed"}}
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


def retrainings(gym) -> list[str]:
    """Executions of the Train flow that a window started."""
    listed = gym.aws("stepfunctions").list_executions(stateMachineArn=gym.address()["train"])["executions"]
    return [each["name"] for each in listed if each["name"].startswith("retrain-")]


def test_a_window_that_lost_value_starts_one_training_by_itself(gym):
    """The members have changed: newer rows say so, and the answers of the test before were all wrong."""
    today = datetime.now(UTC)
    rows = write_csv(gym.data / "changed.csv", ["age", "visits", "left"], members(12_000, otherwise=True))
    before = counted(gym, today)["decision"]
    assert (before["action"], before["reason"], before["unit"]) == ("nothing", "few new rows", "usd")
    assert before["loss_low"] > 0 and before["gain_usd"] > before["run_usd"] > 0
    gym.fairway("load", rows)
    gym.fairway("watch", "pause")
    assert counted(gym, today)["decision"]["carried"] == "paused" and retrainings(gym) == []
    gym.fairway("watch", "resume")

    decided = counted(gym, today)["decision"]

    run = f"retrain-{today:%Y-%m-%d}"
    assert (decided["action"], decided["reason"], decided["run"]) == ("retrain", "loss", run)
    assert decided["new_rows"] >= decided["needed_rows"] > 0
    trained = eventually(lambda: ended(gym, run), within_s=300, pause_s=2)
    assert (trained["status"], trained["verdict"]) == ("SUCCEEDED", "approved")
    eventually(lambda: gym.fairway("status")["champion"] == trained["became"]["release"], within_s=120, pause_s=2)
    assert counted(gym, today)["decision"] == decided, "decided once, whoever looks again"
    tomorrow = today + timedelta(days=1)
    later = (today + timedelta(days=4)).isoformat()
    shown = gym.fairway("watch", "--run", "--window", f"{tomorrow:%Y-%m-%d}", "--as-of", later)["window"]
    assert (shown["decision"]["action"], retrainings(gym)) == ("nothing", [run])


def ended(gym, run: str) -> dict | None:
    (found,) = [each for each in gym.fairway("runs")["runs"] if each["run"] == run] or [None]
    return found if found and found["status"] != "RUNNING" else None


def test_an_evaluation_judges_the_champion_on_newer_rows_and_trains_nothing(gym):
    """What a window orders when drift begins; the champion's run has one candidate, the champion itself."""
    later = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    order = {"run": "evaluate-2013-04-01", "as_of": later, "only_evaluate": True}
    states, machine = gym.aws("stepfunctions"), gym.address()["train"]
    states.start_execution(stateMachineArn=machine, name=order["run"], input=json.dumps(order))

    judged = eventually(lambda: ended(gym, order["run"]), within_s=300, pause_s=2)

    champion = gym.fairway("status")["champion"]
    assert (judged["status"], judged["verdict"]) == ("SUCCEEDED", "rejected")
    assert [each["kind"] for each in judged["jobs"]] == ["evaluation"]
    assert judged["reason"].endswith(f"is identical to the current champion {champion}")
    assert judged["champion"]["name"] == champion
    assert gym.fairway("releases", champion)["releases"][0]["newest"]["run"] == order["run"]
