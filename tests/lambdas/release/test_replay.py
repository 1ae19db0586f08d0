"""A replay planned and judged: the files that it reads, what its release keeps of it, and who is told."""

import boto3
import pytest

from domain import lake
from lambdas.release import judge_replay, plan_replay
from lambdas.release.judge_replay import ReplayMissing
from lambdas.release.plan_replay import spread
from tests.domain.release.test_replay import COUNTED, SKEW
from tests.lambdas import stage

AT = "2026-11-28T12:30:00Z"
WINDOW = {
    "train_start": "2026-09-01T00:00:00Z",
    "evaluate_start": "2026-10-01T00:00:00Z",
    "as_of": "2026-11-01T00:00:00Z",
}
PLAN = {"release": "r-2", "run": "train-2", "artefact_sha256": "b" * 64, "at": AT}


@pytest.fixture
def champion(aws):
    """A signed champion, r-1, a release, r-2, whose run is in the lake, and seven days of replay."""
    aws.released()
    aws.route()
    aws.put(stage.ROUTING, item="release#r-2", release="r-2", state="deploying")
    aws.upload(lake.run_key("train-2", "settings/run.json"), {**WINDOW, "loads": ["load-1"]})
    return aws


@pytest.fixture
def days(monkeypatch):
    from dataclasses import replace

    config = replace(stage.CONFIG, release=replace(stage.CONFIG.release, replay_days=7, replay_rows=500))
    for module in (plan_replay, judge_replay):
        monkeypatch.setattr(module, "CONFIG", config)


def planned(**changed) -> dict:
    return plan_replay.handler({**PLAN, **changed}, None)


def test_captured_files_of_the_last_days_are_replayed_by_the_champion_and_the_release(champion, days):
    hours = ("2026-11-21T11", "2026-11-21T12", "2026-11-25T08", "2026-11-28T12", "2026-11-28T13")
    for hour in hours:
        champion.upload(lake.captured_key(hour, "1-a"), b"")
    folder = f"s3://{stage.LAKE}/runs/train-2/replay"
    assert planned() == {
        "why": "",
        "settings_uri": f"{folder}/settings/",
        "rows_manifest": f"{folder}/rows.manifest",
        "champion_uri": "s3://lake/model.tar.gz",
        "output_uri": f"{folder}/",
        "paced_uri": f"s3://{stage.LAKE}/scratch/paced/train-2/",
    }
    manifest = champion.document("runs/train-2/replay/rows.manifest")
    assert manifest == [
        {"prefix": f"s3://{stage.LAKE}/captured/"},
        *(f"hour={hour}/1-a.parquet" for hour in hours[1:4]),
    ]
    run = champion.document("runs/train-2/replay/settings/run.json")
    assert run == {
        "release": "r-2",
        "release_sha256": "b" * 64,
        "champion": "r-1",
        "champion_sha256": champion.item(stage.ROUTING, item="release#r-1")["artefact_sha256"],
        "champion_threshold": 0.5,
        "source": "captured",
        "captured_by": "",
        "seconds": 60,
        "rows": 500,
        "loads": ["load-1"],
        **WINDOW,
    }


def test_the_champion_decides_its_rows_by_its_own_threshold(champion, days):
    champion.routing(champion={**champion.route()["champion"], "threshold": 0.4})
    planned()
    assert champion.document("runs/train-2/replay/settings/run.json")["champion_threshold"] == 0.4


@pytest.fixture
def from_prod(champion, monkeypatch):
    """A stage that replays what prod captured, in a lake of its own."""
    from dataclasses import replace

    boto3.client("s3").create_bucket(Bucket="prods-lake")
    release = replace(stage.CONFIG.release, replay_days=7, replay_rows=500, replay_from="prod")
    monkeypatch.setattr(plan_replay, "CONFIG", replace(stage.CONFIG, release=release))
    monkeypatch.setattr(plan_replay, "CAPTURED_LAKE", "prods-lake")
    return champion


def test_a_stage_replays_what_another_one_captured_and_its_own_lake_has_what_is_found(from_prod):
    from_prod.upload(lake.captured_key("2026-11-28T11", "ours"), b"")
    key = lake.captured_key("2026-11-27T12", "theirs")
    boto3.client("s3").put_object(Bucket="prods-lake", Key=key, Body=b"")
    folder = f"s3://{stage.LAKE}/runs/train-2/replay"
    plan = planned()
    assert (plan["rows_manifest"], plan["output_uri"]) == (f"{folder}/rows.manifest", f"{folder}/")
    manifest = from_prod.document("runs/train-2/replay/rows.manifest")
    assert manifest == [{"prefix": "s3://prods-lake/captured/"}, "hour=2026-11-27T12/theirs.parquet"]
    assert from_prod.document("runs/train-2/replay/settings/run.json")["captured_by"] == "prod"


def test_a_stage_without_a_lake_is_refused_by_name(from_prod, monkeypatch):
    monkeypatch.setattr(plan_replay, "CAPTURED_LAKE", "no-such-lake")
    with pytest.raises(plan_replay.LakeMissing) as refused:
        planned()
    assert str(refused.value) == (
        "release.replay_from = 'prod': must be a stage with a lake, and no-such-lake is not there; deploy that stage, "
        "then this one"
    )


def test_a_stage_without_traffic_replays_its_evaluation_window(champion, days):
    assert planned()["rows_manifest"] == f"s3://{stage.LAKE}/runs/train-2/evaluate.manifest"
    assert champion.document("runs/train-2/replay/settings/run.json")["source"] == "evaluation"


def test_nothing_is_replayed_where_there_is_nobody_to_be_compared_with_or_a_person_has_decided(champion, days):
    assert planned(release="r-1")["why"] == "there is nobody to be compared with"
    stopped = {"replay": {"at": AT, "stop": "flips", "why": "flips: 40 %"}}
    champion.put(stage.ROUTING, item="release#r-2", release="r-2", state="deploying", **stopped)
    assert planned()["why"] == "let go on by hand, in spite of its replay: flips: 40 %"
    before = {"release": "r-0", "endpoint": "e", "since": "2013-03-01T00:00:00Z"}
    champion.routing(champion=champion.route()["champion"], previous=[before])
    assert planned(release="r-0")["why"] == "it was champion before"
    champion.routing()
    assert planned()["why"] == "there is nobody to be compared with"


def test_a_champion_that_this_stage_did_not_sign_is_not_replayed(champion, days):
    from domain.release.signature import SignatureRefused

    champion.released(signature="AAAA")
    with pytest.raises(SignatureRefused):
        planned()


@pytest.mark.parametrize(("files", "kept"), [(0, 0), (3, 3), (500, 500), (501, 251), (40_000, 500)])
def test_of_many_files_some_are_chosen_evenly(files, kept):
    keys = [f"{number:05d}" for number in range(files)]
    chosen = spread(keys, 500)
    assert (len(chosen), chosen[:1]) == (kept, keys[:1])


# ---- the judgement

FLIPS = [{"id": f"p-{number}", "champion": "true", "candidate": "false"} for number in range(40)]


@pytest.fixture
def told(aws):
    topic = boto3.client("sns").create_topic(Name="flights-local-alarms")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:told"
    boto3.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return lambda: [
        message["Body"]
        for message in boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    ]


def judge(aws, *, why="", flips=(), **counted) -> dict:
    aws.upload("runs/train-2/replay/summary.json", {**COUNTED, **counted, "flips": list(flips)})
    return judge_replay.handler({"release": "r-2", "run": "train-2", "why": why}, None)


def test_a_release_that_passes_goes_on_and_keeps_its_report(champion, told):
    why = "1,000 captured rows, 4.3 % of the decisions differ"
    assert judge(champion) == {"go_on": True, "reason": why}
    item = champion.item(stage.ROUTING, item="release#r-2")
    assert (item["state"], item["replay"]["why"], item["replay"]["stop"]) == ("deploying", why, "")
    assert {name: item["replay"][name] for name in COUNTED} == COUNTED
    report = champion.document("runs/train-2/replay/report.json")
    assert (report["known"]["outcomes"], "flips" in report) == (0, False)
    assert told() == []


def test_skew_stops_it_marks_it_and_tells_which_command_lets_it_go_on(champion, told):
    answer = judge(champion, **SKEW)
    assert (answer["go_on"], answer["reason"].split(":")[0]) == (False, "skew")
    item = champion.item(stage.ROUTING, item="release#r-2")
    assert (item["state"], item["failure"], item["replay"]["stop"]) == (
        "rolled back",
        f"replay: {answer['reason']}",
        "skew",
    )
    [message] = told()
    assert message == (
        f"flights-local, r-2: stopped in its replay: {answer['reason']}. "
        "`fairway promote r-2 --again --stage local` lets it go on all the same."
    )


def test_outcomes_of_the_rows_that_flipped_count_and_those_of_nobody_do_not(champion, told):
    for number in range(40):
        event = {"entity_id": f"flight {number}", "event_time": "2026-11-27T10:00:00Z"}
        champion.put(stage.PREDICTIONS, id=f"p-{number}", made_at="2026-11-27T09:00:00Z", **event)
        if number < 30:
            champion.put(stage.OUTCOMES, **event, outcome=True)
    answer = judge(champion, flips=FLIPS)
    assert answer["reason"].startswith("decisions: of 30 flipped rows with an outcome the release is right in 0")
    known = champion.item(stage.ROUTING, item="release#r-2")["replay"]["known"]
    assert (known["outcomes"], known["candidate_right"], known["value_usd"]) == (30, 0, -30 * 65)


def test_one_that_was_not_replayed_goes_on_with_the_reason_on_record(champion, told):
    assert judge(champion, why="it was champion before") == {"go_on": True, "reason": "it was champion before"}
    replay = champion.item(stage.ROUTING, item="release#r-2")["replay"]
    assert (replay["stop"], replay["why"], "rows" in replay) == ("", "it was champion before", False)


def test_a_job_that_left_no_summary_or_that_of_another_release_is_an_error(champion):
    with pytest.raises(ReplayMissing, match="summary.json is not there; `fairway promote r-2` tries again"):
        judge_replay.handler({"release": "r-2", "run": "train-2", "why": ""}, None)
    with pytest.raises(ReplayMissing):
        judge(champion, release="r-7")
