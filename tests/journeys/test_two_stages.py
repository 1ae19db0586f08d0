"""Two stages in one account, here the local one: staging replays what prod was asked, and reads nothing else of it."""

import json
import os
from functools import partial

import pytest

from local.deploy import deploy
from local.profile import root_key
from local.start import start
from tests.journeys.conftest import Journey, drafted, eventually, write_csv
from tests.journeys.customers import HEADER, customers

STAGES = """
[monitoring]
capture_seconds = 1

[stages.prod]
keep_data = false

[stages.staging]
keep_data = false
release.replay_days = 7
release.replay_flips = 100.0
release.replay_from = "prod"
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """Both stages deployed under enforced IAM, and tables of customers: (journey, environment, first, more)."""
    folder = tmp_path_factory.mktemp("stages")
    table = write_csv(folder / "first.csv", HEADER, customers(400, by="size", seed=1))
    more = write_csv(folder / "more.csv", HEADER, customers(2000, by="orders", seed=2))
    with drafted(table, target="left", name="shop") as journey:
        settings = journey.project / "fairway.toml"
        text = settings.read_text()
        settings.write_text(text[: text.index("[stages.")] + text[text.index("\n[training]") :] + STAGES)
        endpoint = start(journey.project, 0, journey.state, True)["endpoint"]
        for stage in ("prod", "staging"):
            deploy(journey.project, endpoint=endpoint, stage=stage)
        key = root_key(journey.state)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        credentials = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
        yield journey, {**kept, **credentials, "AWS_ENDPOINT_URL": endpoint}, table, more


def on(journey: Journey, environment: dict, stage: str, command: str, *arguments: object):
    done = journey.run(command, *arguments, "--stage", stage, "--json", env=environment)
    assert done.returncode == 0, f"fairway {command}: {done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_staging_replays_what_prod_was_asked_and_keeps_ids_and_decisions(account):
    journey, environment, table, more = account
    prod, staging = (partial(on, journey, environment, stage) for stage in ("prod", "staging"))
    rows = [dict(zip(HEADER[:-1], row[:-1], strict=True)) for row in customers(40, by="orders", seed=3)]
    asked = {one["id"] for one in prod("predict", json.dumps(rows))}
    eventually(lambda: captured(journey, "prod"), within_s=240, pause_s=2)

    staging("load", table)
    champion = staging("train")["release"]
    staging("load", more)
    trained = staging("train")
    assert trained["verdict"] == "approved", trained["reason"]
    eventually(lambda: staging("status")["champion"] == trained["release"], within_s=240, pause_s=2)

    replay = staging("rollout", "status")["replay"]
    assert (replay["release"], replay["champion"], replay["captured_by"]) == (trained["release"], champion, "prod")
    assert (replay["rows"], replay["repeated"], replay["differing"], replay["errors"]) == (40, 0, 0, 0)
    assert (replay["paced"]["requests"], replay["paced"]["release"]["failed"]) == (1, 0)
    assert captured(journey, "staging") == []
    run = replay_of(journey, trained["run"])
    assert {row["id"] for row in run} == asked
    assert {name for row in run for name in row} == {"id", "champion", "release"}


def captured(journey: Journey, stage: str) -> list[str]:
    found = journey.aws("s3").list_objects_v2(Bucket=journey.address(stage)["lake"], Prefix="captured/")
    return [one["Key"] for one in found.get("Contents", [])]


def replay_of(journey: Journey, run: str) -> list[dict]:
    import io

    import pyarrow.parquet as pq

    key = f"runs/{run}/replay/rows.parquet"
    body = journey.aws("s3").get_object(Bucket=journey.address("staging")["lake"], Key=key)["Body"].read()
    return pq.read_table(io.BytesIO(body)).to_pylist()
