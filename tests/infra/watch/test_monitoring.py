"""The Watch flow: what its job is asked, that a window without an answer needs none, and which windows start a run."""

import pytest

from tests.infra import asl
from tests.infra.flows import CONTEXT, VARIABLES, WATCHED, arguments, chosen, every_task, flows


def test_what_was_captured_in_the_window_is_counted_by_one_isolated_job(service):
    (task,) = [task for name, task, _ in every_task(service) if name == "watch/Monitor"]
    job = arguments("watch/Monitor", task)
    sources = {each["InputName"]: each["S3Input"] for each in job["ProcessingInputs"]}
    assert {name: (each["S3Uri"], each["S3DataType"]) for name, each in sources.items()} == {
        "contract": (WATCHED["settings_uri"], "S3Prefix"),
        "captured": (WATCHED["captured_manifest"], "ManifestFile"),
    }
    (output,) = job["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == WATCHED["counts_uri"]
    assert job["AppSpecification"]["ContainerArguments"] == ["monitor"]
    cluster = {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 10}
    assert (job["ProcessingResources"]["ClusterConfig"], job["NetworkConfig"]) == (
        cluster,
        {"EnableNetworkIsolation": True},
    )


@pytest.mark.parametrize(("manifest", "next"), [(WATCHED["captured_manifest"], "Monitor"), (None, "JudgeWindow")])
def test_a_window_without_an_answer_is_judged_without_a_job(service, manifest, next):
    state = flows(service)["watch"]["States"]["IsAnythingCaptured"]
    assert chosen(state, watched={**WATCHED, "captured_manifest": manifest}) == next


def test_a_run_is_started_once_by_a_name_that_its_window_gives_it(service):
    (task,) = [task for name, task, _ in every_task(service) if name == "watch/StartTraining"]
    order = VARIABLES["decided"]["order"]
    machine = "<TrainingTrain>"
    assert arguments("watch/StartTraining", task) == {
        "StateMachineArn": machine,
        "Name": "retrain-2013-04-02",
        "Input": order,
    }
    assert task["Catch"][0]["ErrorEquals"] == ["StepFunctions.ExecutionAlreadyExistsException"]
    assert (task["Catch"][0]["Next"], task["Next"]) == ("RecordRun", "RecordRun")


@pytest.mark.parametrize(("order", "next"), [(VARIABLES["decided"]["order"], "StartTraining"), (None, "RecordRun")])
def test_only_a_window_that_orders_a_run_starts_one(service, order, next):
    decided = {"decision": None, "order": order}
    states = flows(service)["watch"]["States"]
    assert chosen(states["IsARunOrdered"], decided=decided) == next
    output = asl.evaluate(states["RecordRun"]["Output"], {**VARIABLES, "decided": decided}, context=CONTEXT)
    assert output == {**VARIABLES["found"], "decision": None}
