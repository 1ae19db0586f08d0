"""Held-out rows of a run, from its own documents and the parts of the lake that it was judged on."""

import csv
import json

import pytest

from domain.config import sections
from domain.contract import schema
from domain.contract.file import read_contract
from tests.fairway.commands.test_load import table

WINDOW = {
    "train_start": "2013-01-01T00:00:00Z",
    "evaluate_start": "2013-02-01T00:00:00Z",
    "as_of": "2013-03-01T00:00:00Z",
}
RUN, RELEASE = "train-20130301-1", "r-20130301-aaaaaaaa"


@pytest.fixture
def judged(place, tmp_path):
    """A run that was judged on two of the four loaded rows, one of which was loaded twice."""
    day = {"departure": "2013-02-10T10:00:00Z"}
    first = place.values("load", table(tmp_path / "a.csv", {}, {**day, "seats": "100"}, {**day, "seats": "150"}))
    second = place.values("load", table(tmp_path / "b.csv", *({"departure": "2013-01-03T10:00:00Z"}, {**day})))
    loads = [one["files"][0]["load"] for one in (first, second)]
    contract = read_contract(place.folder / "flights/contract.toml", "binary")
    documents = {
        "evaluate.manifest": [
            {"prefix": "s3://lake/rows/"},
            *(f"month=2013-02/{load}-00000.parquet" for load in loads),
        ],
        "evaluation.json": {"rows": 2, "window": WINDOW},
        "settings/run.json": {"run": RUN, "loads": loads, **WINDOW},
        "settings/contract.json": schema.as_dict(contract),
        "settings/config.json": sections.as_dict(sections.read_config(place.folder)),
    }
    for name, document in documents.items():
        place.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/{name}", Body=json.dumps(document))
    place.put("runs", kind="train", run=RUN, verdict="approved", release=RELEASE, started_at="2013-03-01T00:00:00Z")
    place.put("runs", kind="train", run="train-20130201-1", status="FAILED", started_at="2013-04-01T00:00:00Z")
    place.put("routing", item=f"release#{RELEASE}", release=RELEASE, run=RUN, state="champion")
    return place


@pytest.mark.parametrize("what", [(), (RUN,), (RELEASE,)], ids=["newest", "run", "release"])
def test_the_rows_that_a_run_was_judged_on_are_written(judged, tmp_path, what):
    out = tmp_path / "held-out.csv"
    assert judged.values("held-out", *what, "--out", out) == {"out": str(out), "run": RUN, "rows": 2, **WINDOW}
    with out.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["flight_id"], row["seats"]) for row in rows] == [("UA2", "150"), ("UA1", "149")]  # b.csv is newer


def test_what_is_not_all_there_any_more_is_not_written(judged, tmp_path):
    out = tmp_path / "held-out.csv"
    changed = json.dumps({"rows": 3, "window": WINDOW})
    judged.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/evaluation.json", Body=changed)
    code, _, err = judged.run("held-out", "--out", out)
    assert (code, out.exists()) == (1, False)
    assert f"{RUN} was judged on 3 rows, and the lake has 2 of them; nothing was written" in err
    judged.aws("s3").delete_object(Bucket="lake", Key=judged.keys("rows/month=2013-02/")[0])
    code, _, err = judged.run("held-out", "--out", out)
    assert code == 1 and "are not all there; rows/month=2013-02/" in err


def test_a_run_that_is_not_there_and_a_file_that_is_no_csv_are_refused(judged, tmp_path):
    code, _, err = judged.run("held-out", "train-20130201-1", "--out", tmp_path / "a.csv")
    assert code == 2 and f"must be a run that was judged, or its release; runs: {RUN}" in err
    code, _, err = judged.run("held-out", "--out", tmp_path / "a.parquet")
    assert code == 2 and "must be a file named .csv, in a folder that exists" in err
