"""A stage whose functions answer themselves: no endpoint is made, none may be asked, and the zip has the kernel."""

import pytest

from infra.parts import function
from infra.parts.kernel import MODULE
from local.asl.machine import problems
from tests.infra.conftest import project_with, synthesise, template
from tests.infra.flows import flows, path
from tests.infra.test_permissions import KEY, LAKE, granted


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    changes = {'mode = "serverless"': 'mode = "function"', "[stages.dev]": "[stages.test]\n\n[stages.dev]"}
    return project_with(tmp_path_factory.mktemp("project"), changes)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory, project):
    return synthesise(tmp_path_factory.mktemp("function"), project=project, stage="test")


@pytest.fixture(scope="module")
def service(assembly):
    return template(assembly, "flights-test-service")


def test_a_release_is_verified_by_a_function_as_predict_answers_and_then_promoted(service):
    flow = flows(service)["release"]
    way = path(flow, skip=("WaitToLook",))
    assert way == [
        "DescribePackage",
        "IsApproved",
        "MarkDeploying",
        "VerifyRelease",
        "Advance",
        "WhereTo",
        "Promote",
        "KeepPrevious",
        "Retire",
    ]
    others = {
        "WaitToLook",
        "LetGo",
        "StepBack",
        "Undo",
        "HowItEnded",
        "GaveWay",
        "RecordFailure",
        "RecordError",
        "Failed",
        "DoneByAnother",
        "NotApproved",
    }
    assert flow["States"].keys() == {*way, *others}
    assert problems(flow) == []


def test_predict_reads_artefacts_and_asks_for_signatures_and_no_endpoint(service):
    may = granted(service)["RealtimeApiPredictRole"]
    assert {line for line in may if line.startswith(("s3:", "kms:"))} == {
        f"s3:GetObject {LAKE}/artefacts/*",
        f"kms:Verify {KEY}",
    }
    assert [line for line in may if line.startswith("sagemaker:")] == []
    makes = {line.split()[0] for line in granted(service)["ReleasesReleaseRole"]}
    assert {line for line in makes if "sagemaker" in line} == {"sagemaker:DescribeModelPackage"}


def test_capture_scores_the_rows_of_a_rollout_by_the_models_artefacts_too(service):
    may = granted(service)["CaptureCaptureRole"]
    assert {line for line in may if line.startswith(("s3:GetObject", "kms:", "sagemaker:"))} == {
        f"s3:GetObject {LAKE}/artefacts/*",
        f"kms:Verify {KEY}",
    }


def test_the_zip_has_the_kernel_of_the_functions_processor(assembly):
    assert [file.parent.parent.name for file in assembly.rglob(MODULE)] == ["model_code"]


def test_templates_that_are_only_read_have_the_same_resources_and_compile_nothing(
    tmp_path, project, service, monkeypatch
):
    def compiled(**_):
        raise AssertionError("nobody deploys what is compiled here")

    monkeypatch.setattr(function, "kernel_of_functions", compiled)
    read = template(synthesise(tmp_path, project=project, stage="test", kernel=False), "flights-test-service")
    assert kinds(read) == kinds(service)


def kinds(service: dict) -> dict[str, str]:
    return {name: resource["Type"] for name, resource in service["Resources"].items()}
