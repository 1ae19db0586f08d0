"""The reference project from data to production: what the demo promises, held to account."""

import csv
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.faults import clients
from domain.records import from_item
from local.profile import root_key
from tests.journeys import api_page, canaries
from tests.journeys.conftest import ROOT, demo, eventually, processes_below


def rows_of(journey, month: str) -> list[dict]:
    with (journey.data / f"flights-2013-{month}.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


PREDICT = "flights-local-predict"
ROUTING_REMEMBERED_S = 6  # a function that is warm reads the routing every few seconds


def request(journey, method: str, path: str, body=None, *, sign=True, signer=None, headers=()) -> tuple[int, dict]:
    """One HTTP request to the API as an application makes it: status and JSON."""
    url = journey.address()["api_url"].rstrip("/") + path
    data = None if body is None else json.dumps(body).encode()
    call = AWSRequest(method, url, data=data, headers={"Content-Type": "application/json", **dict(headers)})
    if sign:
        SigV4Auth(signer or Credentials(*root_key(journey.state)), "execute-api", "us-east-1").add_auth(call)
    try:
        prepared = urllib.request.Request(url, data, dict(call.headers), method=method)
        with urllib.request.urlopen(prepared, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def stored(journey, key: str) -> list[dict]:
    """Every stored prediction of a run, or of an entity."""
    pages = (
        journey.aws("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=journey.address()["predictions"],
            ProjectionExpression="id, entity_id, probability, #r",
            ExpressionAttributeNames={"#r": "run"},
        )
    )
    answers = [
        item for page in pages for item in page["Items"] if "entity_id" in item
    ]  # the rest remembers idempotency keys
    return [item for item in answers if key in (item.get("run", {}).get("S"), item["entity_id"]["S"])]


def flight(journey, place: int = 0) -> dict:
    """A request for a flight of May, which nothing has seen yet."""
    from flights.demo import sample

    row = sample(journey.data / "flights-2013-05.csv", 50)[place]
    return {name: value for name, value in row.items() if name != "late"}


def test_before_the_first_release_the_fallback_answers_and_says_so(flights):
    _, story = flights
    answer = story["before"]
    assert (answer["source"], answer["release"], answer["probability"], answer["prediction"]) == (
        "fallback",
        None,
        0.24,
        False,
    )
    assert "no release" in answer["reason"]


def test_every_row_is_loaded_or_quarantined_with_its_reason(flights):
    journey, story = flights
    rows = [row for month in ("01", "02", "03") for row in rows_of(journey, month)]
    unknown = sum(row["late"] == "" for row in rows)
    assert story["load"]["accepted"] + story["load"]["quarantined"] == len(rows)
    assert story["load"]["reasons"]["null"] == unknown
    assert story["load"]["quarantined"] >= unknown


def test_loading_the_same_file_again_changes_nothing(flights):
    journey, _ = flights
    table = journey.address()["runs"]
    before = journey.aws("dynamodb").scan(TableName=table, Select="COUNT")["Count"]
    again = journey.fairway("load", journey.data / "flights-2013-01.csv")
    assert again["accepted"] + again["quarantined"] == len(rows_of(journey, "01"))
    assert journey.aws("dynamodb").scan(TableName=table, Select="COUNT")["Count"] == before


def test_the_chosen_candidate_kept_every_benchmark_on_later_rows(flights):
    _, story = flights
    train = story["train"]
    assert train["verdict"] == "approved", train["reason"]
    assert train["metrics"]["roc_auc"] >= 0.65
    assert train["data_window"]["as_of"].startswith("2013-04-01")
    assert train["release"] == f"r-20130401-{train['artefact_sha256'][:8]}"
    assert story["status"]["champion"] == train["release"]


def test_requests_are_answered_by_the_champion(flights):
    _, story = flights
    assert {(a["source"], a["role"], a["release"]) for a in story["answers"]} == {
        ("model", "champion", story["status"]["champion"])
    }
    assert len({a["probability"] for a in story["answers"]}) > 10


def test_every_answer_is_captured_once_as_it_was_stored(flights):
    journey, story = flights
    ids = {answer["id"] for answer in story["answers"]}
    eventually(lambda: ids <= {row["id"] for row in captured(journey)})
    found = captured(journey)
    assert len(found) == len({row["id"] for row in found})
    table = journey.address()["predictions"]
    for row in (row for row in found if row["id"] in ids):
        stored = from_item(journey.aws("dynamodb").get_item(TableName=table, Key={"id": {"S": row["id"]}})["Item"])
        kept = {name: value for name, value in row.items() if value is not None}
        assert kept == {name: stored[name] for name in kept} | {"prediction": json.dumps(stored["prediction"])}


def captured(journey) -> list[dict]:
    s3, bucket = journey.aws("s3"), journey.address()["lake"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="captured/").get("Contents", [])
    files = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed]
    return [row for file in files for row in pq.read_table(io.BytesIO(file)).to_pylist()]


def test_answers_that_the_capture_gave_up_are_captured_by_redrive_once_what_stopped_it_is_mended(flights):
    journey, _ = flights
    functions, function = journey.aws("lambda"), journey.address()["capture"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    usual = functions.get_function_configuration(FunctionName=function)["Environment"]
    broken = {"Variables": {**usual["Variables"], "LAKE": "not-the-lake"}}
    functions.update_function_configuration(FunctionName=function, Environment=broken)
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=0)
    try:
        ids = {answer["id"] for answer in journey.predict(flight(journey, 20), flight(journey, 21))}
        eventually(lambda: undelivered(journey) >= len(ids))
        failed = journey.run("redrive", "--json")
        assert (failed.returncode, json.loads(failed.stdout)["captured"]) == (1, 0)
    finally:
        functions.update_function_configuration(FunctionName=function, Environment=usual)
        retries = mapping["MaximumRetryAttempts"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=retries)
    assert journey.fairway("redrive")["captured"] == len(ids)
    found = [row["id"] for row in captured(journey) if row["id"] in ids]
    assert (sorted(found), undelivered(journey)) == (sorted(ids), 0)
    assert journey.fairway("redrive")["messages"] == 0


def undelivered(journey) -> int:
    """How many messages lie in the queue of the undelivered."""
    name = "ApproximateNumberOfMessages"
    queue = journey.address()["undelivered"]
    return int(journey.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


def test_the_request_in_the_readme_is_answered(flights):
    journey, _ = flights
    (row,) = re.findall(r"fairway predict '([^']+)'", (ROOT / "README.md").read_text(encoding="utf-8"))
    (answer,) = journey.predict(json.loads(row))
    assert (answer["entity_id"], answer["source"]) == ("UA1-EWR-20130601", "model")


def test_a_batch_stores_every_row_once_and_its_counts_add_up(flights):
    journey, story = flights
    batch = story["batch"]
    assert batch["read"] == len(rows_of(journey, "04"))
    assert batch["read"] == batch["scored"] + batch["quarantined"]
    assert batch["scored"] == batch["written"] == len(stored(journey, batch["run"]))


def test_a_batch_and_a_request_give_the_same_flight_the_same_probability(flights):
    journey, story = flights
    batch = {item["entity_id"]["S"]: float(item["probability"]["N"]) for item in stored(journey, story["batch"]["run"])}
    assert {a["entity_id"]: a["probability"] for a in story["answers"]} == {
        a["entity_id"]: batch[a["entity_id"]] for a in story["answers"]
    }


def test_the_same_batch_again_is_recognised_and_stores_nothing_twice(flights):
    journey, story = flights
    again = journey.fairway("batch", journey.data / "flights-2013-04.csv")
    assert {key: again[key] for key in ("run", "read", "scored", "quarantined", "written")} == {
        key: story["batch"][key] for key in ("run", "read", "scored", "quarantined", "written")
    }
    assert len(stored(journey, story["batch"]["run"])) == story["batch"]["written"]


def test_outcomes_are_joined_to_their_predictions(flights):
    _, story = flights
    assert story["outcomes"] == {**story["outcomes"], "accepted": 20, "joined": 20, "unmatched": 0}


def test_an_unsigned_or_wrongly_signed_or_not_allowed_request_is_refused_and_nothing_is_stored(flights):
    journey, _ = flights
    row = {**flight(journey, 1), "flight_id": "REFUSED"}
    caller = application(journey, allowed=True)
    assert request(journey, "POST", "/predictions", row, sign=False)[0] == 403
    assert request(journey, "POST", "/predictions", row, signer=Credentials(caller.access_key, "wrong"))[0] == 403
    assert request(journey, "POST", "/predictions", row, signer=application(journey, allowed=False))[0] == 403
    assert request(journey, "GET", "/predictions?entity_id=REFUSED", sign=False)[0] == 403
    assert request(journey, "GET", "/predictions?entity_id=REFUSED", signer=caller) == (
        200,
        {"predictions": [], "next": None},
    )


def application(journey, *, allowed: bool) -> Credentials:
    """The credentials of an IAM user of its own, who may call the API or may not."""
    iam, name = journey.aws("iam"), f"application-{time.time_ns()}"
    iam.create_user(UserName=name)
    if allowed:
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="calls", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_an_answer_is_stored_before_it_is_given_and_can_be_read_back(flights):
    journey, _ = flights
    status, answer = request(journey, "POST", "/predictions", flight(journey, 2))
    assert status == 200
    assert request(journey, "GET", f"/predictions/{answer['id']}")[1]["probability"] == answer["probability"]
    listed = request(journey, "GET", f"/predictions?entity_id={answer['entity_id']}")[1]["predictions"]
    assert answer["id"] in [item["id"] for item in listed]
    assert request(journey, "GET", "/predictions/no-such-id")[0] == 404


def test_a_breach_of_the_contract_lists_every_problem(flights):
    journey, _ = flights
    row = {**flight(journey, 3), "hour": 25, "origin": "XXX", "surprise": 1}
    status, reply = request(journey, "POST", "/predictions", row)
    assert (status, reply["error"]) == (400, "bad_request")
    assert {(p["column"], p["rule"]) for p in reply["problems"]} == {
        ("hour", "maximum"),
        ("origin", "category"),
        ("surprise", "unknown_column"),
    }


def test_the_examples_of_the_api_page_are_answered_as_it_shows(flights, tmp_path):
    journey, _ = flights
    caller = application(journey, allowed=True)
    environment = {
        "FAIRWAY_URL": journey.fairway("status")["api_url"],
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": caller.access_key,
        "AWS_SECRET_ACCESS_KEY": caller.secret_key,
    }
    answer_shown, outcomes_shown, refusal_shown = api_page.replies()
    printed = map(json.loads, api_page.run("sh", tmp_path, environment).split("\n")[1:])
    described, answer, repeatable, page, outcomes = printed
    assert "/predictions" in described["paths"]
    assert (set(answer), answer["source"], answer["entity_id"]) == (
        set(answer_shown),
        "model",
        answer_shown["entity_id"],
    )
    assert [each["source"] for each in repeatable["predictions"]] == ["model"]
    assert page["predictions"][0]["id"] == answer["id"]  # the newest; the README's request is of the same flight
    assert outcomes == outcomes_shown
    lines = api_page.run("python", tmp_path, environment).splitlines()
    assert (lines[0].split()[1], lines[2].split()[1]) == ("model", "False")
    assert re.fullmatch(r"\[.+\] Of [\d,]+ similar cases, [\d,]+ were late \(about \d+ in 10\)\.", lines[1]), lines[1]
    assert lines[3] == "{'accepted': 1, 'joined': 1, 'unmatched': 0}"
    assert lines[4].startswith("400 bad_request ['row 0: hour = 25: must be at most 23'] ")
    lines = api_page.run("js", tmp_path, environment).splitlines()
    assert lines == [f"{answer['probability']} model", "1", "{ accepted: 1, joined: 1, unmatched: 0 }"]
    row = {name: value for name, value in flight(journey, 3).items() if name != "dest"}
    assert request(journey, "POST", "/predictions", row) == (400, refusal_shown)


def test_too_many_rows_are_413(flights):
    journey, _ = flights
    assert request(journey, "POST", "/predictions", [flight(journey, 4)] * 101)[0] == 413


def test_an_idempotency_key_gives_the_same_answer_once(flights):
    journey, _ = flights
    key = [("Idempotency-Key", f"key-{time.time_ns()}")]
    row = {**flight(journey, 5), "flight_id": f"ONCE-{time.time_ns()}"}
    first, second = (request(journey, "POST", "/predictions", row, headers=key) for _ in range(2))
    assert first == second and first[0] == 200
    assert len(stored(journey, row["flight_id"])) == 1
    assert request(journey, "POST", "/predictions", {**row, "hour": 3}, headers=key)[0] == 409


def test_the_same_as_of_gives_the_same_artefact(flights):
    journey, story = flights
    again = journey.fairway("train", "--as-of", "2013-04-01")
    assert again["run"] != story["train"]["run"]
    assert artefacts_of(journey, again["run"]) == artefacts_of(journey, story["train"]["run"])
    assert story["train"]["artefact_sha256"] in artefacts_of(journey, again["run"]).values()
    assert (again["verdict"], journey.fairway("status")["champion"]) == ("rejected", story["train"]["release"])


def artefacts_of(journey, run: str) -> dict:
    """{candidate: the hash of what it trained} of a run."""
    body = journey.aws("s3").get_object(Bucket=journey.address()["lake"], Key=f"runs/{run}/evaluation.json")["Body"]
    return {name: measured["artefact_sha256"] for name, measured in json.load(body)["candidates"].items()}


def test_where_the_model_server_is_dead_the_function_answers_in_its_place_and_the_same(flights):
    journey, _ = flights
    row = flight(journey, 6)
    expected = journey.predict(row)[0]
    with stopped(servers_of(journey)):
        answer = eventually(lambda: answered_by(journey, row, "function"), within_s=120)
    assert [answer[name] for name in ("release", "probability")] == [expected["release"], expected["probability"]]
    assert "deadline" in answer["instead_of"]
    assert journey.predict(row)[0]["source"] == "model"


def answered_by(journey, row: dict, source: str) -> dict | None:
    """The answer, if it came that way; it must come some way."""
    status, answer = request(journey, "POST", "/predictions", row)
    assert status == 200
    return answer if answer["source"] == source else None


def servers_of(journey, release: str = "") -> list[int]:
    """Process ids of the model servers of the project, or of one of its releases."""
    found = [pid for pid in processes_with("model_code serve") if belongs(pid, journey, release)]
    assert found, "no model server of it is running"
    return found


@contextmanager
def stopped(servers: list[int]):
    """Servers that take requests and answer none."""
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)


def processes_with(words: str) -> list[int]:
    from pathlib import Path

    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def belongs(pid: int, journey, release: str = "") -> bool:
    from pathlib import Path

    try:
        process = Path("/proc", str(pid))
        told = (process / "environ").read_text() + os.readlink(process / "cwd")
        return str(journey.project) in told and release in told
    except (FileNotFoundError, PermissionError):
        return False


def test_a_second_demo_finds_everything_done(flights):
    journey, story = flights
    again = demo(journey)
    assert "train" not in again
    assert again["load"] == story["load"]
    assert again["batch"]["run"] == story["batch"]["run"]


def test_a_new_month_is_released_rolled_back_and_promoted_by_hand(flights):
    journey, story = flights
    first = story["train"]["release"]
    journey.fairway("load", journey.data / "flights-2013-04.csv")
    trained = journey.fairway("train", "--as-of", "2013-05-01")
    release = trained["release"]
    assert trained["verdict"] == "approved", trained["reason"]
    assert release.startswith("r-20130501-") and journey.fairway("status")["champion"] == release
    assert journey.predict(flight(journey, 8))[0]["release"] == release
    assert journey.fairway("rollback")["champion"] == first
    quality = journey.fairway("status")["quality"]  # as the run of April measured it, not as it was released
    assert (quality["release"], quality["newest"]["run"]) == (first, trained["run"])
    assert quality["quality"] < 0.65 < quality["at_release"] and "at least 0.65 was agreed" in quality["broken"][0]
    time.sleep(ROUTING_REMEMBERED_S)
    assert journey.predict(flight(journey, 9))[0]["release"] == first
    assert journey.fairway("promote", release)["champion"] == release
    time.sleep(ROUTING_REMEMBERED_S)
    assert journey.predict(flight(journey, 9))[0]["release"] == release
    states = Counter(item["role"] for item in journey.fairway("status")["releases"])
    assert states["champion"] == 1
    compared = journey.fairway("compare", first, release, "--out", journey.project / "compare.html")
    before, after = compared["runs"]
    assert (before["run"], after["run"], compared["same_rows"]) == (story["train"]["run"], trained["run"], False)
    assert (after["champion"]["name"], after["became"]["role"]) == (first, "champion")
    assert before["data_hash"] != after["data_hash"]
    assert after["usd"] > 0 and {job["kind"] for job in after["jobs"]} == {"training", "evaluation"}
    assert all(each["curve"]["cuts"]["threshold"] for each in [*after["candidates"], after["champion"]])


# Graphs that are empty in the first hour of the reference project where everything went well.
NOTHING_TO_DRAW = {
    "Flows that failed": "none did",
    "Answers that the model was not sure of": "confidence.abstain is off",
    "Spent this month, $": "the guard looks by the hour",
    "Spent of the month's budget, %": "the guard looks by the hour",
}


def test_each_graph_of_the_dashboard_draws_what_was_measured(flights):
    journey, _ = flights
    journey.fairway("watch", "--run")
    cloudwatch, now = journey.aws("cloudwatch"), time.time()
    body = json.loads(cloudwatch.get_dashboard(DashboardName="flights-local")["DashboardBody"])
    graphs = {one["properties"]["title"]: one["properties"] for one in body["widgets"] if one["type"] == "metric"}

    def values_of(title: str) -> list[float]:
        found = cloudwatch.get_metric_data(
            MetricDataQueries=list(map(query_of, itertools.count(), graphs[title]["metrics"])),
            StartTime=now - 3 * 86400,
            EndTime=now + 600,
        )["MetricDataResults"]
        return [value for one in found for value in one["Values"]]

    assert {title for title in graphs if not values_of(title)} == set(NOTHING_TO_DRAW)
    assert sum(values_of("Requests and answers")) > 20


def query_of(number: int, line: list) -> dict:
    """A line of a widget, [namespace, name, dimension, value, ..., options] or [options], as GetMetricData asks it."""
    options = line[-1] if isinstance(line[-1], dict) else {}
    query = {"Id": options.get("id", f"line{number}"), "ReturnData": options.get("visible", True)}
    if "expression" in options:
        return {**query, "Expression": options["expression"]}
    namespace, name, *pairs = [each for each in line if isinstance(each, str)]
    dimensions = [{"Name": of, "Value": value} for of, value in zip(pairs[::2], pairs[1::2], strict=True)]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": options.get("period", 300), "Stat": options.get("stat", "Average")}
    return {**query, "MetricStat": stat}


def test_the_aws_sdk_reaches_the_local_aws_by_what_up_prints_which_holds_no_secret(flights):
    journey, _ = flights
    done = journey.run("up", "--enforce-iam")
    listed = "import boto3; print(len(boto3.client('dynamodb').list_tables()['TableNames']))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**plain, **json.loads(done.stdout)["environment"]}
    command = [sys.executable, "-c", listed]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert int(found) == len(journey.aws("dynamodb").list_tables()["TableNames"]) > 0
    assert root_key(journey.state).secret_key not in done.stdout + done.stderr


def test_a_hard_kill_loses_nothing_that_was_answered_and_leaves_no_process(flights):
    journey, _ = flights
    answer = journey.predict(flight(journey, 10))[0]
    os.kill(journey.server["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while processes_below(journey.project) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_below(journey.project) == []
    journey.fairway("up", "--enforce-iam")
    assert request(journey, "GET", f"/predictions/{answer['id']}")[1]["probability"] == answer["probability"]
    again = journey.predict(flight(journey, 10))[0]
    assert (again["source"], again["probability"]) == ("model", answer["probability"])


def test_beyond_the_functions_concurrency_requests_are_refused_in_aws_s_words_and_then_taken_again(flights):
    journey, _ = flights
    ask, rows = asker(journey), [flight(journey, place) for place in range(20)]
    lambdas = journey.aws("lambda")
    lambdas.put_function_concurrency(FunctionName=PREDICT, ReservedConcurrentExecutions=1)
    try:
        replies = eventually(lambda: shed(clients.at_once(ask, rows, clients=10)), within_s=120)
    finally:
        lambdas.delete_function_concurrency(FunctionName=PREDICT)
    assert {reply.status for reply in replies} <= {200, 503}
    refused = [reply for reply in replies if reply.status == 503]
    # AWS names no time to wait: an HTTP API's refusals have no Retry-After.
    assert {(json.dumps(one.body), "retry-after" in one.headers) for one in refused} == {
        (json.dumps({"message": "Service Unavailable"}), False)
    }
    assert missing(journey, replies) == []
    assert eventually(lambda: ask(rows[0]).status == 200)


def asker(journey):
    return clients.asker(journey.address()["api_url"], journey.state)


def shed(replies) -> list:
    """The replies, if some were refused and some were not."""
    return replies if {200, 503} <= {reply.status for reply in replies} else []


def missing(journey, replies) -> list[str]:
    """Ids of answers that were given and are not stored."""
    ids = [reply.body["id"] for reply in replies if reply.status == 200]
    return [id for id in ids if request(journey, "GET", f"/predictions/{id}")[0] != 200]


def test_what_clients_were_answered_before_the_local_aws_was_killed_is_stored(flights):
    journey, _ = flights
    rows = [flight(journey, place) for place in range(20, 24)]
    with clients.steadily(asker(journey), rows, clients=4) as replies:
        eventually(lambda: sum(reply.status == 200 for reply in replies) >= 20, within_s=120)
        os.kill(journey.server["pid"], signal.SIGKILL)
        eventually(lambda: any(reply.status == 0 for reply in replies))
    eventually(lambda: not processes_below(journey.project))
    journey.fairway("up", "--enforce-iam")
    assert {reply.status for reply in replies} <= {0, 200}
    assert missing(journey, replies) == []
    assert eventually(lambda: asker(journey)(rows[0]).status == 200)


def test_no_value_of_a_row_is_in_any_log_and_an_entity_that_is_forgotten_is_nowhere(flights):
    journey, story = flights
    written = canaries.plant(journey)
    canaries.wait_until_captured(journey)
    found = list(canaries.logs(journey))
    assert canaries.secrets_in([*found, *(("standard error", text) for text in written)]) == []
    assert {"predict", "outcomes", "capture", "preprocess"} <= {name.rpartition("-")[2] for name, text in found if text}
    assert any(story["train"]["release"] in text for name, text in found if "ProcessingJobs" in name), "logs are read"
    assert {name.partition("/")[0] for name in canaries.holders(journey)} == {
        *("predictions", "outcomes", "rows", "quarantine", "captured", "batch"),
    }
    done = journey.fairway("forget", canaries.ENTITY, "--yes")
    assert story["train"]["release"] in {one["release"] for one in done["not_removed"]["releases"]}
    assert canaries.holders(journey) == []
    assert canaries.secrets_in(canaries.logs(journey)) == []
    assert request(journey, "GET", f"/predictions?entity_id={canaries.ENTITY}") == (
        200,
        {"predictions": [], "next": None},
    )
    kept = [name for name in journey.fairway("forget", canaries.ENTITY, "--dry-run")["places"] if name["rows"]]
    assert kept == []


CANARY = """
canary = [20, 50]
canary_minutes = 0.0
canary_rows = 60
look_seconds = 1
"""


def test_a_canary_earns_its_next_share_and_goes_back_by_itself_when_it_answers_late(flights):
    """Steady signed requests throughout: each is answered and stored, whatever becomes of the canary."""
    journey, story = flights
    settings = journey.project / "fairway.toml"
    settings.write_text(settings.read_text().replace("[release]\n", f"[release]{CANARY}"))
    settings.write_text(f"{settings.read_text()}\n[monitoring]\ncapture_seconds = 1\n")
    journey.fairway("up", "--enforce-iam")
    if journey.fairway("status")["champion"] != story["train"]["release"]:
        journey.fairway("rollback")
    journey.fairway("load", journey.data / "flights-2013-04.csv")  # changes nothing where another test has done it
    release = journey.fairway("train", "--as-of", "2013-05-02")["release"]
    assert standing(journey) == ("canary", 0.2)
    rows = [flight(journey, place) for place in range(50)]
    entities = ({**row, "flight_id": f"C{number}-{row['flight_id']}"} for number in itertools.count() for row in rows)
    replies: list = []
    eventually(lambda: asked_of_all(journey, entities, replies) and standing(journey) == ("canary", 0.5), within_s=240)
    with stopped(servers_of(journey, release)):
        eventually(
            lambda: asked_of_all(journey, entities, replies) and standing(journey)[0] == "rolled back", within_s=240
        )
    assert {reply.status for reply in replies} == {200}
    assert missing(journey, replies) == []
    status = journey.fairway("rollout", "status")["rollout"]
    assert [(one["state"], one["share"]) for one in status["decisions"]] == [
        ("canary", 0.2),
        ("canary", 0.5),
        ("rolled back", 0),
    ]
    assert re.match(
        r"(slow|failed) answers: entities that .* of the canary, .* of the champion; e-value .* of 100", status["why"]
    )
    now = journey.fairway("status")
    assert (now["champion"], now["reason"]) == (story["train"]["release"], f"rollout of {release}: {status['why']}")
    time.sleep(ROUTING_REMEMBERED_S)
    assert journey.predict(rows[0])[0]["release"] == story["train"]["release"]
    refused = journey.run("promote", release)
    told = refused.stdout + refused.stderr
    assert (refused.returncode, f"release '{release}' was rolled back" in told) == (2, True)


def standing(journey) -> tuple[str, float]:
    rollout = journey.fairway("rollout", "status")["rollout"]
    return rollout["state"], rollout["share"]


def asked_of_all(journey, entities, replies: list) -> bool:
    """Ask for fifty more entities, four at a time."""
    replies += clients.at_once(asker(journey), list(itertools.islice(entities, 50)), clients=4)
    return True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "{not json", "--json"], "JSON"),
        (["load", "/nowhere/file.csv"], "/nowhere/file.csv"),
        (["train", "--as-of", "yesterday"], "yesterday"),
        (["promote", "r-00000000-00000000"], "r-00000000-00000000"),
        (["status", "--stage", "moon"], "moon"),
    ],
)
def test_what_is_asked_wrongly_exits_2_and_names_it(flights, words, said):
    journey, _ = flights
    done = journey.run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
