"""The Batch flow: what is scored, and what is written."""

import pytest

from tests.infra import asl
from tests.infra.flows import PLAN, arguments, chosen, every_task, flows


def test_results_wait_ten_minutes_for_a_table_that_is_busy_or_slow(service):
    """Before the three short tries that every function gets: nobody waits for a batch as for an answer."""
    (write,) = (task for name, task, _ in every_task(service) if name == "batch/WriteFile")
    first = write["Retry"][0]
    assert {"TableBusy", "TimedOut", "Unreachable"} == set(first["ErrorEquals"])
    assert sum(first["IntervalSeconds"] * first["BackoffRate"] ** n for n in range(first["MaxAttempts"])) == 630


@pytest.mark.parametrize(
    ("model", "names"), [(PLAN["model_uri"], ["contract", "rows", "model"]), (None, ["contract", "rows"])]
)
def test_score_shares_the_files_and_needs_no_model_before_the_first_release(service, model, names):
    (task,) = [task for name, task, _ in every_task(service) if name == "batch/Score"]
    job = arguments("batch/Score", task, plan={**PLAN, "model_uri": model})
    assert [given["InputName"] for given in job["ProcessingInputs"]] == names
    assert job["ProcessingInputs"][1]["S3Input"]["S3DataDistributionType"] == "ShardedByS3Key"
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert {out["OutputName"]: out["S3Output"]["S3UploadMode"] for out in job["ProcessingOutputConfig"]["Outputs"]} == {
        "predictions": "Continuous",
        "quarantine": "Continuous",
        "results": "Continuous",
        "summary": "Continuous",
    }


@pytest.mark.parametrize(("left", "next"), [(PLAN["shards_manifest"], "Score"), (None, "IsAnythingStored")])
def test_a_batch_that_is_scored_already_is_only_written(service, left, next):
    assert chosen(flows(service)["batch"]["States"]["IsAnythingLeft"], plan={**PLAN, "shards_manifest": left}) == next


@pytest.mark.parametrize(("store", "next"), [(True, "WriteResults"), (False, "CloseBatch")])
def test_a_batch_that_stores_nothing_is_not_handed_to_the_map(service, store, next):
    state = flows(service)["batch"]["States"]["IsAnythingStored"]
    assert chosen(state, plan={**PLAN, "store": store}) == next
    assert state["Assign"] == {"written": 0}


@pytest.mark.parametrize(
    ("results", "written"), [([], 0), ([{"written": 5}], 5), ([{"written": 5}, {"written": 2}], 7)]
)
def test_what_was_written_is_added_up(service, results, written):
    assign = flows(service)["batch"]["States"]["WriteResults"]["Assign"]
    assert asl.evaluate(assign, {}, result=results) == {"written": written}
