"""From somebody's table to predictions: `fairway init` drafts the project, and the same commands run it."""

import csv
import json
import random

import pytest

from tests.journeys.conftest import Journey, processes_below


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project drafted from a table with odd column names, a text target, and neither key nor event time."""
    folder, data = tmp_path_factory.mktemp("any") / "shop", tmp_path_factory.mktemp("any-data")
    table = write_table(data / "Customers & Churn.csv", rows=3000)
    journey = Journey(folder, data)
    drafted = journey.run("init", "--data", str(table), "--target", "Left us?", "--out", str(folder), "--json")
    assert drafted.returncode == 0, drafted.stdout + drafted.stderr
    journey.fairway("up", "--enforce-iam")
    try:
        yield journey, table
    finally:
        journey.run("down")
        assert processes_below(folder) == []


def write_table(file, rows: int):
    draw = random.Random(5)
    with file.open("w", newline="", encoding="utf-8") as lines:
        out = csv.writer(lines)
        out.writerow(["Größe (cm)", "1st.order", "select", "plan", "empty", "Left us?"])
        for _ in range(rows):
            size, plan = draw.gauss(170, 10), draw.choice(["free", "pro", "été", "日本"])
            orders = draw.randint(0, 40)
            leaves = draw.random() < 1 / (1 + 2.718 ** ((orders - 15) / 4 + (plan == "pro")))
            out.writerow([f"{size:.1f}", orders, draw.choice(["", "x", "y"]), plan, "", "Yes" if leaves else "No"])
    return file


def test_the_draft_is_valid_and_takes_its_own_table_whole(shop):
    journey, table = shop
    assert journey.run("check").returncode == 0
    loaded = journey.fairway("load", table)
    assert (loaded["accepted"], loaded["quarantined"]) == (3000, 0)


def test_a_model_is_trained_released_and_answers(shop):
    journey, table = shop
    journey.fairway("load", table)
    trained = journey.fairway("train")
    assert trained["verdict"] == "approved", trained["reason"]
    likely, unlikely = journey.predict(row(orders=0, plan="free"), row(orders=40, plan="pro"))
    assert likely["source"] == unlikely["source"] == "model"
    assert likely["probability"] > 0.8 > 0.2 > unlikely["probability"]


def test_a_batch_of_the_table_is_scored(shop):
    journey, table = shop
    batch = journey.fairway("batch", table)
    assert (batch["read"], batch["scored"], batch["written"], batch["quarantined"]) == (3000, 3000, 3000, 0)


def row(*, orders: int, plan: str) -> dict:
    return {"Größe (cm)": 171.0, "1st.order": orders, "select": "x", "plan": plan, "empty": None}


def test_commands_name_what_is_missing_before_anything_is_up(tmp_path):
    journey = Journey(tmp_path, tmp_path)
    done = journey.run("status", "--json")
    assert done.returncode == 2
    assert "fairway init" in json.loads(done.stdout)["message"]
