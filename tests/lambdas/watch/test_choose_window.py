"""The window of a run: which hours, which files, and what its releases are compared with."""

import pytest

from domain.train.windows import WindowError
from lambdas.watch.choose_window import handler
from tests.lambdas import stage

RUN = "watch-20130403-20261129T003000Z"
AS_OF = "2013-04-03T00:30:00Z"
REFERENCE = {"rows": 1, "features": {}, "prediction": {}, "wrong": 0, "value_usd": None}


def released(aws, release: str, **values) -> None:
    values = {"run": f"train-{release}", "candidate": "prior", "state": "champion", "created_at": release, **values}
    aws.put(stage.ROUTING, item=f"release#{release}", release=release, **values)
    aws.upload(f"runs/train-{release}/reference/prior.json", {**REFERENCE, "rows": len(release)})


def chosen(aws, **values) -> dict:
    return handler({"run": RUN, "as_of": AS_OF, **values}, None)


def test_the_newest_window_that_has_ended_is_counted_from_the_files_of_its_hours(aws):
    for hour in ("2013-04-01T23", "2013-04-02T00", "2013-04-02T23", "2013-04-03T00"):
        aws.upload(f"captured/hour={hour}/1-a.parquet", b"x")
    released(aws, "r-1")
    plan = chosen(aws)
    folder = f"s3://{stage.LAKE}/runs/{RUN}/"
    assert plan == {
        "run": RUN,
        "window": "2013-04-02",
        "start": "2013-04-02T00:00:00Z",
        "end": "2013-04-03T00:00:00Z",
        "as_of": AS_OF,
        "settings_uri": f"{folder}settings/",
        "captured_manifest": f"{folder}captured.manifest",
        "files": 2,
        "counts_uri": f"s3://{stage.LAKE}/windows/window=2013-04-02/",
    }
    assert aws.document(f"runs/{RUN}/captured.manifest") == [
        {"prefix": f"s3://{stage.LAKE}/captured/"},
        "hour=2013-04-02T00/1-a.parquet",
        "hour=2013-04-02T23/1-a.parquet",
    ]
    assert aws.document(f"runs/{RUN}/settings/run.json")["window"] == "2013-04-02"
    assert aws.document(f"runs/{RUN}/settings/references.json") == {"r-1": {**REFERENCE, "rows": 3}}
    record = aws.item(stage.RUNS, kind="watch", run=RUN)
    assert (record["status"], record["window"], record["files"]) == ("RUNNING", "2013-04-02", 2)


def test_a_window_can_be_asked_for_by_any_time_in_it(aws):
    assert chosen(aws, window="2013-03-09T17:00:00+01:00")["window"] == "2013-03-09"


def test_a_window_without_a_file_has_no_row_and_needs_no_job(aws):
    aws.upload("windows/window=2013-04-02/counts.json", {"rows": 5})  # of a look before somebody was forgotten
    assert chosen(aws)["captured_manifest"] is None
    counts = aws.document("windows/window=2013-04-02/counts.json")
    assert (counts["rows"], counts["releases"], counts["window"]) == (0, {}, "2013-04-02")


def test_releases_that_never_answered_and_those_without_a_reference_are_left_out(aws):
    released(aws, "r-1", state="retired", promoted_at=AS_OF)
    released(aws, "r-2", state="rejected")
    released(aws, "r-3", state="aborted", rollout={"rollout": "r-3/1"})
    released(aws, "r-4", state="previous", candidate="other")
    aws.put(stage.ROUTING, item="release#r-5", release="r-5", state="champion")
    aws.route()
    chosen(aws)
    assert sorted(aws.document(f"runs/{RUN}/settings/references.json")) == ["r-1", "r-3"]


@pytest.mark.parametrize("wrong", [{"as_of": "soon"}, {"as_of": None}, {"window": "monday"}])
def test_a_time_that_is_none_is_refused_by_name(aws, wrong):
    with pytest.raises(WindowError, match=f"{next(iter(wrong))} = .*: must be an ISO 8601 date"):
        chosen(aws, **wrong)
