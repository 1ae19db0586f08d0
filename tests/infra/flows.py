"""The flows of a template, and how their states are read: the values that stand for those of a run."""

import json

from tests.infra import asl
from tests.infra.reading import of_type, text

MOMENT = "2026-11-22T07:45:00.123Z"


CONTEXT = {"Execution": {"StartTime": MOMENT}, "State": {"EnteredTime": MOMENT, "RetryCount": 1}}


RUN = "train-20130401-20261122T074500Z"


WINDOW = {
    "settings_uri": f"s3://lake/runs/{RUN}/settings/",
    "train_manifest": f"s3://lake/runs/{RUN}/train.manifest",
    "evaluate_manifest": f"s3://lake/runs/{RUN}/evaluate.manifest",
    "artefacts_uri": f"s3://lake/artefacts/{RUN}/",
    "champion": {
        "release": "r-20130301-aaaaaaaa",
        "model_uri": "s3://lake/artefacts/earlier/prior/job/output/model.tar.gz",
    },
}


CANDIDATE = {
    "name": "prior",
    "job": f"flights-prod-{RUN}-prior",
    "hyperparameters": {"candidate": "prior", "seed": "7"},
    "output_uri": f"s3://lake/artefacts/{RUN}/prior",
    "checkpoint_uri": f"s3://lake/scratch/checkpoints/{RUN}/prior/",
}


PLAN = {
    "settings_uri": "s3://lake/batch/b1/settings/",
    "shards_manifest": "s3://lake/batch/b1/settings/shards.manifest",
    "model_uri": "s3://lake/artefacts/a/b/c/output/model.tar.gz",
    "instances": 2,
    "output_uri": "s3://lake/batch/b1/",
}


REPLAY = {
    "why": "",
    "settings_uri": f"s3://lake/runs/{RUN}/replay/settings/",
    "rows_manifest": f"s3://lake/runs/{RUN}/replay/rows.manifest",
    "champion_uri": WINDOW["champion"]["model_uri"],
    "output_uri": f"s3://lake/runs/{RUN}/replay/",
    "paced_uri": f"s3://lake/scratch/paced/{RUN}/",
}


WATCHED = {
    "run": "watch-20130403-20261122T074500Z",
    "window": "2013-04-02",
    "settings_uri": "s3://lake/runs/w1/settings/",
    "captured_manifest": "s3://lake/runs/w1/captured.manifest",
    "counts_uri": "s3://lake/windows/window=2013-04-02/",
}


VARIABLES = {
    "run": RUN,
    "watched": WATCHED,
    "decided": {
        "decision": {"action": "retrain", "reason": "loss", "run": "retrain-2013-04-02"},
        "order": {"run": "retrain-2013-04-02", "as_of": "2013-04-03T00:30:00Z", "only_evaluate": False},
    },
    "found": {"run": "w1", "window": "2013-04-02", "state": "ok", "findings": []},
    "window": WINDOW,
    "plan": PLAN,
    "replay": REPLAY,
    "written": 5,
    "reason": "good",
    "release": "r-20130401-1fbd9a70",
    "endpoint": "flights-prod-r-20130401-1fbd9a70",
    "experiment": {},
    "status": "InService",
    "looks": 3,
    "why": "",
    "made_here": True,
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/flights-prod:0123456789ab",
    "artefact": PLAN["model_uri"],
    "artefact_sha256": "ab" * 32,
    "signed": {"artefact_sha256": "ab" * 32, "signature": "c2lnbmVk"},
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights-prod/1",
    "error": {"Error": "States.TaskFailed", "Cause": "no capacity"},
    "verdict": {
        "verdict": "approved",
        "candidate": "prior",
        "release": "r-20130401-1fbd9a70",
        "reason": "better",
        "model_uri": PLAN["model_uri"],
        "approval_status": "Approved",
        "metadata": {"release": "r-20130401-1fbd9a70", "run": RUN},
    },
}


INPUTS = {
    "TrainCandidate": CANDIDATE,
    "WriteFile": {"bucket": "lake", "key": "batch/b1/results/0.jsonl.gz"},
    "DescribePackage": {"model_package_arn": VARIABLES["model_package_arn"]},
}


def flows(service: dict) -> dict[str, dict]:
    """{id: definition}, with what refers to other resources put in words."""
    machines = of_type(service, "AWS::StepFunctions::StateMachine")
    return {
        properties["StateMachineName"].rpartition("-")[2]: definition(properties) for properties in machines.values()
    }


def definition(properties: dict) -> dict:
    return json.loads(text(properties["DefinitionString"]))


def every_task(service: dict):
    return [
        (f"{flow}/{name}", task, around)
        for flow, machine in flows(service).items()
        for name, task, around in asl.tasks(machine)
    ]


def arguments(name: str, task: dict, **variables) -> dict:
    given = INPUTS.get(name.rpartition("/")[2], {"run": RUN, "as_of": "2013-04-01"})
    return asl.evaluate(task["Arguments"], {**VARIABLES, **variables}, input=given, context=CONTEXT)


def path(machine: dict, *, skip: tuple = ()) -> list[str]:
    """The states on the way where all goes well: a Choice's first way, except those to skip."""
    name, found = machine["StartAt"], []
    while name:
        found.append(name)
        state = machine["States"][name]
        ways = [choice["Next"] for choice in state.get("Choices", []) if choice["Next"] not in (*skip, *found)]
        name = (ways or [state.get("Next") or state.get("Default")])[0]
    return found


def chosen(choice: dict, **variables) -> str:
    ways = [way["Next"] for way in choice["Choices"] if asl.evaluate(way["Condition"], {**VARIABLES, **variables})]
    return [*ways, choice["Default"]][0]
