"""What is run for a deployment, in which order, and what is refused before anything is."""

import base64
import json
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from domain.config.sections import read_config
from fairway.deploy import deployment
from fairway.terminal.errors import Refused
from infra.parts.image import image_tag
from tests.fairway.deploy.recorder import ASSEMBLY, Recorder

ROOT = Path(__file__).parents[3]
BASE = "docker.io/library/python:3.13-slim@sha256:" + "ab" * 32
TAG = image_tag(base=BASE)
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
OCI = MANIFEST.replace("docker.distribution.manifest.v2", "oci.image.manifest.v1")
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
LAYERS = {"history": "50MB\tCOPY /opt/venv /opt/venv\n0B\tENV LANG=C.UTF-8\n", "inspect": "50000000\n"}


class Pushing(Recorder):
    """An engine whose push puts an image of this manifest into the repository."""

    def __init__(self, ecr, pushes: str, answers=None):
        super().__init__(answers or LAYERS)
        self.ecr, self.pushes = ecr, pushes

    def after(self, words):
        if "push" in words:
            self.ecr.put_image(repositoryName="flights-dev", imageManifest=self.pushes, imageTag=TAG)


@pytest.fixture
def ecr(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("ecr", region_name="us-east-1")
        client.create_repository(repositoryName="flights-dev")
        yield client


def no_templates(folder: Path, stage: str, **options) -> Path:
    """In place of the templates, whose building takes seconds and is tried in the journey."""
    assert options == {"deployable": True, "image_tag": TAG}
    return ASSEMBLY


def deployed(ecr, *, pushes: str = MANIFEST, base: str = BASE, programs: Recorder | None = None) -> Recorder:
    programs = programs or Pushing(ecr, pushes)
    config = read_config(ROOT, "dev")
    how = {"programs": programs, "tell": lambda step: None, "find": lambda: "podman", "synth": no_templates}
    assert deployment.deploy(config, ROOT, base=base, ecr=ecr, **how) == TAG
    return programs


def test_data_then_image_then_service(ecr):
    programs = deployed(ecr)
    name = f"{REGISTRY}/flights-dev:{TAG}"
    assert programs.ran == [
        "deploy flights-dev-data --exclusively --require-approval never",
        f"podman login --username AWS --password-stdin {REGISTRY}",
        (
            "podman build --format docker --file model_code/Dockerfile --target sagemaker --platform linux/amd64 "
            f"--build-arg BASE_IMAGE={BASE} --tag {name} ."
        ),
        f"podman push {name}",
        "deploy flights-dev-service --exclusively --require-approval never",
    ]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    password = base64.b64decode(token).decode().partition(":")[2]
    assert programs.given[1] == password and not any(password in command for command in programs.ran)


def test_an_image_that_is_there_is_not_built_again(ecr):
    ecr.put_image(repositoryName="flights-dev", imageManifest=MANIFEST, imageTag=TAG)
    ran = [" ".join(command.split()[:2]) for command in deployed(ecr).ran]
    assert ran == ["deploy flights-dev-data", "deploy flights-dev-service"]


REFUSED = (
    f"^image flights-dev:{TAG}: manifest media type = application/vnd.oci.image.manifest.v1\\+json: must be .*"
    f"delete it with `aws ecr batch-delete-image --repository-name flights-dev --image-ids imageTag={TAG} "
    "--region us-east-1`"
)


def test_an_image_of_oci_s_media_types_that_is_there_is_refused_with_the_command_that_deletes_it(ecr):
    ecr.put_image(repositoryName="flights-dev", imageManifest=OCI, imageTag=TAG)
    with pytest.raises(Refused, match=REFUSED):
        deployed(ecr)


def test_an_image_that_was_pushed_with_oci_s_media_types_is_refused_before_the_service_runs_it(ecr):
    programs = Pushing(ecr, OCI)
    with pytest.raises(Refused, match=REFUSED):
        deployed(ecr, programs=programs)
    assert not any("flights-dev-service" in command for command in programs.ran)


def test_the_digest_that_the_base_s_tag_has_now_is_looked_up_once_and_deployed(ecr):
    platforms = [{"digest": BASE.partition("@")[2], "platform": {"os": "linux", "architecture": "amd64"}}]
    name = BASE.partition("@")[0]
    programs = Pushing(ecr, MANIFEST, {"manifest": json.dumps({"manifests": platforms}), **LAYERS})
    ran = deployed(ecr, base=name, programs=programs).ran
    assert ran[0] == f"podman manifest inspect {name}"
    ecr.batch_delete_image(repositoryName="flights-dev", imageIds=[{"imageTag": TAG}])
    assert ran[1:] == deployed(ecr).ran


def test_a_base_without_a_digest_is_refused_before_anything_is_deployed(ecr):
    programs = Recorder()
    with pytest.raises(Refused, match="base 'python@sha256:abc': a digest must be sha256: and 64 hex digits"):
        deployed(ecr, base="python@sha256:abc", programs=programs)
    assert programs.ran == []
