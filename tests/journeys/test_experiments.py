"""Two releases side by side: from a release that waits for its approval to the better one as champion."""

import json
from itertools import count

import pytest

from tests.journeys.conftest import Journey, drafted, eventually, write_csv
from tests.journeys.customers import HEADER, customers

SETTINGS = """
[release]
approve = "manual"
look_seconds = 1
replay_days = 7
replay_flips = 100

[monitoring]
capture_seconds = 1
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A champion that knows other customers than there are now, and a release that waits for its approval."""
    folder = tmp_path_factory.mktemp("experiments")
    table = write_csv(folder / "first.csv", HEADER, customers(400, by="size", seed=1, noise=0.3))
    more = write_csv(folder / "more.csv", HEADER, customers(2000, by="orders", seed=2, noise=0.3))
    with drafted(table, target="left", name="shop") as journey:
        settings = journey.project / "fairway.toml"
        settings.write_text(settings.read_text() + SETTINGS)
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        champion = journey.fairway("train")["release"]
        journey.fairway("promote", champion)
        journey.fairway("load", more)
        trained = journey.fairway("train")
        assert trained["verdict"] == "approved", trained["reason"]
        yield journey, champion, trained["release"]


def test_an_experiment_finds_the_better_release_by_outcomes_and_a_person_makes_it_champion(shop):
    journey, champion, release = shop
    start = ("start", "--release", release, "--share", "50", "--metric", "correct", "--users", "5000")
    begun = journey.fairway("experiment", *start)["experiment"]
    assert (begun["state"], begun["share"], begun["champion"]) == ("challenger", 0.5, champion)
    replay = journey.fairway("rollout", "status")["replay"]
    assert (replay["release"], replay["stop"], replay["rows"] > 0) == (release, "", True)
    again = journey.run("experiment", *start)
    assert (again.returncode, f"an experiment of {release} runs" in again.stdout + again.stderr) == (2, True)

    seeds = count(3)
    eventually(lambda: told_of(journey, seed=next(seeds)) and found(journey), within_s=400)
    assert found(journey)["better"] is True
    assert found(journey)["sentence"].startswith(f"{release} is right for ")
    roles = {one["release"]: one["role"] for one in journey.fairway("status")["releases"]}
    assert (roles[champion], roles[release]) == ("champion", "challenger")

    journey.fairway("experiment", "stop", "--promote")
    now = journey.fairway("status")
    assert (now["champion"], found(journey)["sentence"] in now["reason"]) == (release, True)
    (kept,) = journey.fairway("experiment", "status")["kept"]
    assert (kept["release"], kept["champion"], kept["state"]) == (release, champion, "champion")


def told_of(journey: Journey, *, seed: int) -> bool:
    """Ask about a hundred other customers, and tell what became of each."""
    rows = customers(100, by="orders", seed=seed, noise=0.3)
    answers = journey.predict(*(dict(zip(HEADER[:-1], row[:-1], strict=True)) for row in rows))
    outcomes = [{"prediction_id": answer["id"], "outcome": row[-1]} for answer, row in zip(answers, rows, strict=True)]
    file = journey.data / f"outcomes-{seed}.jsonl"
    file.write_text("\n".join(map(json.dumps, outcomes)))
    journey.fairway("outcomes", file)
    return True


def found(journey: Journey) -> dict | None:
    return journey.fairway("experiment", "status")["experiment"]["experiment"].get("verdict")


def test_another_threshold_of_the_champion_is_compared_promoted_and_rolled_back(shop):
    journey, _, _ = shop
    start = ("start", "--threshold", "0.95", "--share", "50", "--metric", "correct", "--users", "5000")
    begun = journey.fairway("experiment", *start)["experiment"]
    champion = begun["champion"]
    assert (begun["release"], begun["experiment"]["against"]) == (champion, 0.5)
    seeds = count(1000)
    eventually(lambda: told_of(journey, seed=next(seeds)) and ended(journey) == "rolled back", within_s=400)
    assert journey.fairway("experiment", "status")["experiment"]["why"].startswith("decisions: rows with an outcome")
    states = {one["release"]: one["state"] for one in journey.fairway("status")["releases"]}
    assert (journey.fairway("status")["champion"], states[champion]) == (champion, "champion")

    start = ("start", "--threshold", "0.3", "--share", "50", "--metric", "correct", "--users", "5000")
    journey.fairway("experiment", *start)
    journey.fairway("experiment", "stop", "--promote")
    customer = dict(zip(HEADER[:-1], customers(1, by="orders", seed=9, noise=0.3)[0][:-1], strict=True))
    eventually(lambda: journey.predict(customer)[0].get("threshold") == 0.3)
    assert journey.fairway("status")["threshold"] == 0.3
    journey.fairway("rollback")
    eventually(lambda: "threshold" not in journey.predict(customer)[0])
    now = journey.fairway("status")
    assert (now["champion"], now["threshold"]) == (champion, None)


def ended(journey: Journey) -> str:
    return journey.fairway("experiment", "status")["experiment"]["state"]
