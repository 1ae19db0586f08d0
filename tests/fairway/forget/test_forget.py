"""An entity is forgotten everywhere, whatever happens to the command meanwhile, and the others stay."""

import json
import re

import botocore.client
import pytest

from domain.release.counts import Kind, seen_key
from tests.fairway.commands.test_load import table
from tests.fairway.conftest import ROOT
from tests.fairway.forget.stored import GONE, LAKE, STAYS

WRITES = ("PutObject", "DeleteObject", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
NONE = {"files": 0, "old_versions": 0, "not_read": []}
REMOVED = [
    {"place": "evidence", "rows": 4, **NONE},
    {"place": "predictions", "rows": 2, **NONE},
    {"place": "outcomes", "rows": 3, **NONE},
    {"place": "remembered requests", "rows": 1, **NONE},
    {"place": "captured", "rows": 2, "files": 2, "old_versions": 0, "not_read": []},
    {"place": "batches", "rows": 4, "files": 4, "old_versions": 0, "not_read": []},
    {"place": "quarantine", "rows": 1, "files": 1, "old_versions": 0, "not_read": []},
    {"place": "rows", "rows": 2, "files": 2, "old_versions": 1, "not_read": []},
]
LEARNT = [{"release": "r-1", "run": "t-1", "state": "champion"}]


def test_it_leaves_every_place_and_the_others_stay(filled):
    before = filled.contents()
    code, said = filled.run("forget", GONE, "--yes")
    assert (code, said) == (
        0,
        {
            "entity": GONE,
            "dry_run": False,
            "places": REMOVED,
            "not_removed": {"releases": LEARNT, "recovery_days": 35, "stream_hours": 24},
        },
    )
    after = filled.contents()
    assert GONE not in json.dumps(after)
    assert [item["entity_id"] for item in after["predictions"] if "entity_id" in item] == [STAYS]
    assert [item["id"] for item in after["predictions"] if "entity_id" not in item] == ["request#b"]
    assert [item["entity_id"] for item in after["outcomes"]] == [STAYS, f"prediction#{1:032x}"]
    assert [item["item"] for item in after["evidence"]] == [
        "share#0.05",
        f"answer#{1:032x}",
        seen_key("", Kind.ENTITIES, STAYS)["item"]["S"],
    ]
    kept = {key: text for key, is_current, text in after["lake"] if is_current}
    assert set(kept) == {key for key, is_current, _ in before["lake"] if is_current}
    assert kept["batch/incoming/may.csv"] == f"flight_id,hour\r\n{STAYS},6\r\n"
    assert kept["batch/b-1/results/may.csv-1.jsonl.gz"].splitlines()[1:] == [json.dumps([1, STAYS])]
    assert [row["id"] for row in json.loads(kept["batch/b-1/predictions/may.csv-1.parquet"])] == [
        f"{number:032x}" for number in (100, 102)
    ]


def test_the_loads_records_count_what_is_left(filled):
    filled.run("forget", GONE, "--yes")
    (load,) = (one for one in filled.contents()["runs"] if one["kind"] == "load")
    assert (load["accepted"], load["quarantined"], load["reasons"]) == (1, 1, {"maximum": 1})
    assert [part["rows"] for part in json.loads(load["parts"])] == [1, 0]


def test_a_file_that_was_scored_is_not_scored_again_because_it_was_rewritten(filled):
    filled.run("forget", GONE, "--yes")
    etag = filled.aws("s3").head_object(Bucket=LAKE, Key="batch/incoming/may.csv")["ETag"].strip('"')
    (scored,) = (
        text for key, is_current, text in filled.contents()["lake"] if key.startswith("scored/") and is_current
    )
    assert json.loads(scored)["files"] == {f"s3://{LAKE}/batch/incoming/may.csv": etag}


def test_again_it_removes_nothing(filled):
    filled.run("forget", GONE, "--yes")
    after = filled.contents()
    code, said = filled.run("forget", GONE, "--yes")
    assert code == 0
    assert {(one["rows"], one["files"], one["old_versions"]) for one in said["places"]} == {(0, 0, 0)}
    assert filled.contents() == after


def test_a_dry_run_counts_the_same_and_changes_nothing(filled):
    before = filled.contents()
    code, said = filled.run("forget", GONE, "--dry-run")
    assert (code, said["places"], said["not_removed"]["releases"]) == (0, REMOVED, LEARNT)
    assert filled.contents() == before


def test_without_a_person_to_ask_it_is_refused_unless_it_was_told_to(filled):
    before = filled.contents()
    code, said = filled.run("forget", GONE)
    assert (code, said["error"]) == (2, "not_confirmed")
    assert "confirm with --yes" in said["message"]
    assert filled.contents() == before


class Killed(BaseException):
    """End of the process."""


@pytest.fixture
def after_one_write(monkeypatch):
    """Ends the command right after its first write, as often as it writes, until it is told to stop."""
    real, writes = botocore.client.BaseClient._make_api_call, []

    def call(client, operation, arguments):
        reply = real(client, operation, arguments)
        if operation in WRITES:
            writes.append(operation)
            raise Killed
        return reply

    with monkeypatch.context() as patch:
        patch.setattr("fairway.forget.files.OBJECTS_AT_ONCE", 1)
        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        yield writes


def test_killed_after_each_of_its_writes_the_last_run_ends_as_one_that_was_not_killed(filled, request):
    writes = request.getfixturevalue("after_one_write")
    while True:
        try:
            code, _ = filled.run("forget", GONE, "--yes")
            break
        except Killed:
            assert len(writes) < 100, f"it goes on forever: {writes[-10:]}"
    assert len(writes) > 20
    assert code == 0
    after = filled.contents()
    assert GONE not in json.dumps(after)
    (load,) = (one for one in after["runs"] if one["kind"] == "load")
    assert (load["accepted"], load["quarantined"], load["reasons"]) == (1, 1, {"maximum": 1})
    assert {one["kind"] for one in after["runs"]} == {"load", "train", "unload"}


def test_after_a_kill_at_the_very_end_the_releases_are_named_once_more(filled, monkeypatch):
    def killed(learners):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fairway.forget.learnt.Learners.close", killed)
        with pytest.raises(Killed):
            filled.run("forget", GONE, "--yes")
    _, said = filled.run("forget", GONE, "--yes")
    assert {one["rows"] for one in said["places"]} == {0}
    assert said["not_removed"]["releases"] == LEARNT


ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetObject": "s3:GetObjectVersion",
    "HeadObject": "s3:GetObject",
    "DeleteObject": "s3:DeleteObjectVersion",
    **{f"{name}Item": f"dynamodb:{name}Item" for name in ("Get", "BatchGet", "Put", "Update", "Delete", "BatchWrite")},
}


def test_the_documented_permissions_are_those_that_it_uses(filled, monkeypatch):
    used, real = set(), botocore.client.BaseClient._make_api_call

    def call(client, operation, arguments):
        service = client.meta.service_model.service_name
        used.add(ACTIONS.get(operation, f"{service}:{operation}"))
        return real(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    filled.run("forget", GONE, "--yes")
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    policy = json.loads(re.search(r"```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1])
    documented = {action for statement in policy["Statement"] for action in statement["Action"]}
    # Of runs that are under way only a stage with flows is asked; large files go up in parts, which may be given up.
    assert used == documented - {"states:ListExecutions", "states:DescribeExecution", "s3:AbortMultipartUpload"}


def keyed(stage, *columns: str) -> None:
    """Give the contract a key of these columns."""
    file = stage.project / "flights/contract.toml"
    line = f"key = {json.dumps(columns)}\n" if columns else ""
    file.write_text(file.read_text().replace('key = ["flight_id"]\n', line))


def test_of_a_key_of_several_columns_all_are_named(stage, tmp_path):
    keyed(stage, "carrier", "origin")
    rows = [{"carrier": "UA", "origin": "EWR"}, {"carrier": "UA", "origin": "JFK"}, {"carrier": "AA", "origin": "EWR"}]
    assert stage.run("load", table(tmp_path / "one.csv", *rows))[0] == 0
    assert stage.run("forget", "UA", "--yes")[1]["message"] == (
        "ENTITY = 'UA': must be CARRIER|ORIGIN, as `entity_id` of an answer has it"
    )
    code, said = stage.run("forget", "UA|EWR", "--yes")
    assert (code, said["places"][-1]["rows"]) == (0, 1)
    ((_, _, text),) = stage.contents()["lake"]
    assert [(row["carrier"], row["origin"]) for row in json.loads(text)] == [("UA", "JFK"), ("AA", "EWR")]


def test_a_contract_without_a_key_is_refused(stage):
    keyed(stage)
    code, said = stage.run("forget", "anything", "--yes")
    assert (code, said["error"]) == (2, "no_key")
    assert "has no key, so no two rows are known to be about one entity" in said["message"]


def test_what_cannot_be_looked_into_is_named_and_the_command_fails(filled):
    filled.upload("batch/incoming/june.xlsx", b"PK")
    filled.upload("batch/incoming/cut.parquet", b"PAR1")
    filled.upload("batch/incoming/other.csv", b"a,b\n1,2\n")
    code, said = filled.run("forget", GONE, "--yes")
    (batches,) = (one for one in said["places"] if one["place"] == "batches")
    assert code == 1
    assert {one["key"].rpartition("/")[2]: one["reason"].partition(" ")[0] for one in batches["not_read"]} == {
        "june.xlsx": "its",
        "cut.parquet": "is",
        "other.csv": "has",
    }
    assert [one["rows"] for one in said["places"]] == [one["rows"] for one in REMOVED]


def test_an_entity_without_anything_is_none(filled):
    before = filled.contents()
    code, said = filled.run("forget", "nobody", "--yes")
    assert (code, {one["rows"] for one in said["places"]}) == (0, {0})
    assert said["not_removed"]["releases"] == []
    assert filled.contents() == before
