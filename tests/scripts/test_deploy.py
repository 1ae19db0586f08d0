"""What is run for a deployment, in which order, and what is refused before anything is."""

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from domain.config.sections import read_config
from infra.parts.image import image_tag
from scripts import deploy as script
from scripts import image

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim@sha256:" + "ab" * 32
TAG = image_tag(base=BASE)
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
OCI = MANIFEST.replace("docker.distribution.manifest.v2", "oci.image.manifest.v1")
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


class Commands:
    """Writes down what would be run, without the paths of this machine, and answers for docker."""

    def __init__(self, platforms: str = "", *, ecr=None, pushes: str = MANIFEST):
        self.ran, self.given, self.platforms = [], [], platforms
        self.ecr, self.pushes = ecr, pushes

    def __call__(self, command, *, input=None, **options):
        words = [str(word) for word in command]
        self.ran.append(" ".join(words[words.index("--no-notices") + 1 :] if "--no-notices" in words else words))
        self.given.append(input)
        if "push" in words and self.ecr:
            self.ecr.put_image(repositoryName="flights-dev", imageManifest=self.pushes, imageTag=TAG)
        said = "50MB\tCOPY /opt/venv /opt/venv\n0B\tENV LANG=C.UTF-8\n" if "history" in words else "50000000\n"
        said = self.platforms if "manifest" in words else said
        return subprocess.CompletedProcess(words, 0, stdout=said)


@pytest.fixture
def ecr(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("ecr", region_name="us-east-1")
        client.create_repository(repositoryName="flights-dev")
        yield client


def deployed(ecr, *, pushes: str = MANIFEST) -> Commands:
    run = Commands(ecr=ecr, pushes=pushes)
    script.deploy(read_config(ROOT, "dev"), project=ROOT, base=BASE, ecr=ecr, run=run, find=lambda: "podman")
    return run


def test_data_then_image_then_service(ecr):
    run = deployed(ecr)
    context = f"--require-approval never -c stage=dev -c project={ROOT} -c image_tag={TAG}"
    name = f"{REGISTRY}/flights-dev:{TAG}"
    assert run.ran == [
        f"deploy flights-dev-data {context}",
        f"podman login --username AWS --password-stdin {REGISTRY}",
        (
            "podman build --format docker --file model_code/Dockerfile --target sagemaker --platform linux/amd64 "
            f"--build-arg BASE_IMAGE={BASE} --tag {name} ."
        ),
        f"podman history --no-trunc --format {{{{.Size}}}}\t{{{{.CreatedBy}}}} {name}",
        f"podman image inspect --format {{{{.Size}}}} {name}",
        f"podman push {name}",
        f"deploy flights-dev-service {context}",
    ]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    assert run.given[1] == password and not any(password in command for command in run.ran)


def test_a_project_elsewhere_is_found_from_the_folder_that_the_cdk_runs_in(ecr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Commands()
    ecr.put_image(repositoryName="flights-dev", imageManifest=MANIFEST, imageTag=TAG)
    script.deploy(read_config(ROOT, "dev"), project=Path("."), base=BASE, ecr=ecr, run=run, find=None)
    assert all(f"-c project={tmp_path} " in command for command in run.ran)


def test_an_image_that_is_there_is_not_built_again(ecr, capsys):
    ecr.put_image(repositoryName="flights-dev", imageManifest=MANIFEST, imageTag=TAG)
    ran = [" ".join(command.split()[:2]) for command in deployed(ecr).ran]
    assert ran == ["deploy flights-dev-data", "deploy flights-dev-service"]
    assert f"image flights-dev:{TAG} is in the repository already" in capsys.readouterr().out


REFUSED = (
    f"^image flights-dev:{TAG}: manifest media type = application/vnd.oci.image.manifest.v1\\+json: must be .*"
    f"delete it with `aws ecr batch-delete-image --repository-name flights-dev --image-ids imageTag={TAG} "
    "--region us-east-1`"
)


def test_an_image_of_oci_s_media_types_that_is_there_is_refused_with_the_command_that_deletes_it(ecr):
    ecr.put_image(repositoryName="flights-dev", imageManifest=OCI, imageTag=TAG)
    with pytest.raises(script.DeployRefused, match=REFUSED):
        deployed(ecr)


def test_an_image_that_was_pushed_with_oci_s_media_types_is_refused_before_the_service_runs_it(ecr):
    with pytest.raises(script.DeployRefused, match=REFUSED):
        deployed(ecr, pushes=OCI)


@pytest.mark.parametrize(
    ("stage", "said"),
    [("local", "`fairway up` deploys it"), ("nowhere", "stage 'nowhere' is not in fairway.toml; it has ")],
)
def test_a_stage_that_is_not_on_aws_is_refused(stage, said):
    with pytest.raises(script.DeployRefused, match=said):
        script.stage_of(ROOT, stage)


def test_another_account_than_the_stage_s_is_refused():
    config = read_config(ROOT, "dev")
    config = replace(config, target=replace(config.target, account="111111111111"))
    script.refuse_other_account(config, "111111111111")
    with pytest.raises(
        script.DeployRefused, match="belongs to account 111111111111, the credentials here are of 222222222222"
    ):
        script.refuse_other_account(config, "222222222222")


def test_what_the_base_s_tag_names_now_is_what_is_deployed(ecr):
    """It is looked up once, before the image's tag is made of it."""
    platforms = [{"digest": BASE.partition("@")[2], "platform": {"os": "linux", "architecture": "amd64"}}]
    run = Commands(json.dumps({"manifests": platforms}), ecr=ecr)
    name = BASE.partition("@")[0]
    script.deploy(read_config(ROOT, "dev"), project=ROOT, base=name, ecr=ecr, run=run, find=lambda: "podman")
    assert run.ran[0] == f"podman manifest inspect {name}"
    ecr.batch_delete_image(repositoryName="flights-dev", imageIds=[{"imageTag": TAG}])
    assert run.ran[1:] == deployed(ecr).ran


def test_a_base_whose_digest_is_none_is_refused_before_anything_is_deployed(ecr):
    run = Commands()
    with pytest.raises(image.NoDigest, match="base 'python@sha256:abc': a digest is sha256: and 64 hex digits"):
        script.deploy(read_config(ROOT, "dev"), project=ROOT, base="python@sha256:abc", ecr=ecr, run=run, find=None)
    assert run.ran == []
