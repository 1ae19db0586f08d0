"""A release on its way to champion: through its replay and its shadow to its canary, or stopped before it answers."""

import io
import random

import pyarrow.parquet as pq
import pytest

from tests.journeys.conftest import Journey, drafted, eventually, write_csv

RELEASE = """
[release]
replay_days = 7
replay_flips = 100.0
shadow = 100
shadow_minutes = 0.0
shadow_rows = 40
canary = [50]
look_seconds = 1

[monitoring]
capture_seconds = 1
"""
HEADER = ["size", "orders", "plan", "left"]


def customers(count: int, *, by: str, seed: int) -> list[list]:
    """Customers who leave by their size, or by their orders: a model of the ones says little of the others."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        size, orders = round(draw.gauss(170, 10), 2), draw.randint(0, 40)
        leaves = draw.random() < 1 / (1 + 2.718 ** ((170 - size) / 3 if by == "size" else (orders - 20) / 4))
        rows.append([size, orders, draw.choice(["free", "pro"]), "yes" if leaves else "no"])
    return rows


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A champion that is wrong about most customers, and a table of those, from which the next release learns."""
    folder = tmp_path_factory.mktemp("rollouts")
    table = write_csv(folder / "first.csv", HEADER, customers(400, by="size", seed=1))
    more = write_csv(folder / "more.csv", HEADER, customers(2000, by="orders", seed=2))
    with drafted(table, target="left", name="shop") as journey:
        settings = journey.project / "fairway.toml"
        assert "\n[release]" not in settings.read_text() and "\n[monitoring]" not in settings.read_text()
        settings.write_text(settings.read_text() + RELEASE)
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        champion = journey.fairway("train")["release"]
        yield journey, champion, more


def test_a_release_passes_its_replay_and_its_shadow_and_is_stopped_once_the_champion_does_not_repeat_itself(shop):
    """The champion answers throughout: the release itself answers nobody before it is canary."""
    journey, champion, more = shop
    answers = ask(journey, seed=3)
    eventually(lambda: {one["id"] for one in answers} <= captured(journey).keys(), within_s=240, pause_s=2)
    journey.fairway("load", more)

    trained = journey.fairway("train")
    release = trained["release"]
    assert trained["verdict"] == "approved", trained["reason"]
    assert standing(journey) == ("shadow", 1.0)
    replay = journey.fairway("rollout", "status")["replay"]
    assert (replay["release"], replay["champion"], replay["source"], replay["stop"]) == (
        release,
        champion,
        "captured",
        "",
    )
    assert (replay["rows"], replay["repeated"], replay["differing"], replay["errors"]) == (50, 50, 0, 0)
    assert 0 < replay["flipped"] < 50 and replay["timed"].keys() == {"champion", "release"}
    paced = replay["paced"]  # fifty rows came in one request, and both endpoints were sent it again
    assert (paced["requests"], paced["champion"]["failed"], paced["release"]["failed"]) == (1, 0, 0)

    seeds = iter(range(4, 400))
    eventually(
        lambda: _answered_by(champion, ask(journey, seed=next(seeds))) and standing(journey)[0] != "shadow",
        within_s=300,
    )
    decisions = journey.fairway("rollout", "status")["rollout"]["decisions"]
    assert [(one["state"], one["share"]) for one in decisions] == [("shadow", 1.0), ("canary", 0.5)]
    journey.fairway("rollout", "abort")
    eventually(lambda: not is_up(journey, release), within_s=240, pause_s=2)  # or promote would switch to it at once

    swap_an_answer(journey, answers[0]["id"])
    refused = journey.run("promote", release)
    told = refused.stdout + refused.stderr
    assert (refused.returncode, f"rolled back: replay: skew: {champion} does not repeat 1 of " in told) == (1, True), (
        told
    )
    replay = journey.fairway("rollout", "status")["replay"]
    assert (replay["release"], replay["stop"], replay["differing"]) == (release, "skew", 1)
    now = journey.fairway("status")
    states = {one["release"]: one["state"] for one in now["releases"]}
    assert (now["champion"], states[release]) == (champion, "rolled back")


def ask(journey: Journey, *, seed: int) -> list[dict]:
    """Ask about fifty other customers."""
    rows = customers(50, by="orders", seed=seed)
    return journey.predict(*(dict(zip(HEADER[:-1], row[:-1], strict=True)) for row in rows))


def _answered_by(champion: str, answers: list[dict]) -> bool:
    """Whether the champion's endpoint answered all, but for those that a canary has by now."""
    assert all(one["release"] == champion or one["role"] == "canary" for one in answers)
    return True


def is_up(journey: Journey, release: str) -> bool:
    found = journey.aws("sagemaker").list_endpoints(NameContains=release)["Endpoints"]
    return bool(found)


def standing(journey: Journey) -> tuple[str, float]:
    rollout = journey.fairway("rollout", "status")["rollout"]
    return rollout["state"], rollout["share"]


def captured(journey: Journey) -> dict[str, str]:
    """{id of a captured answer: key of its file}."""
    return {id: key for key, table in tables(journey) for id in table.column("id").to_pylist()}


def tables(journey: Journey):
    s3, bucket = journey.aws("s3"), journey.address()["lake"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="captured/"):
        for one in page.get("Contents", []):
            yield one["Key"], pq.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()))


def swap_an_answer(journey: Journey, id: str) -> None:
    """Change one answer as it was captured, and nothing else."""
    (key, table) = next((key, table) for key, table in tables(journey) if id in table.column("id").to_pylist())
    rows = [{**row, "probability": 1 - row["probability"]} if row["id"] == id else row for row in table.to_pylist()]
    changed = io.BytesIO()
    pq.write_table(table.from_pylist(rows, table.schema), changed)
    journey.aws("s3").put_object(Bucket=journey.address()["lake"], Key=key, Body=changed.getvalue())
