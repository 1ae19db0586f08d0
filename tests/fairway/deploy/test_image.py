"""The image is its sources on a base named by its digest, and nothing of the machine that builds it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from fairway.deploy import image
from fairway.terminal.errors import Failed, Refused
from infra.parts.image import NOT_IN_IMAGE, image_tag
from local.build import build
from tests.fairway.deploy.recorder import Recorder

ROOT = Path(__file__).parents[3]


def test_what_the_building_machine_compiled_for_itself_is_not_in_the_image(tmp_path):
    for name in (
        "kernel/module.cpp",
        "kernel/_kernel.cpython-311-x86_64-linux-gnu.so",
        "__pycache__/serve.cpython-311.pyc",
        "serve.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    dockerfile = (ROOT / "model_code/Dockerfile").read_text()
    tidied, built = re.search(r"RUN cd /app && (find .*?) \\\n && (.*?) \\\n", dockerfile).groups()
    assert built.endswith("-m model_code.kernel.build")
    subprocess.run(tidied, shell=True, cwd=tmp_path, check=True)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["module.cpp", "serve.py"]


def test_what_only_imports_models_is_in_no_image_and_not_in_its_tag(tmp_path):
    """Not in the container's context, not in the local AWS's folder; a change of it builds no new image."""
    for file in ("model_code/serve.py", "model_code/importing/scan.py", "domain/lake.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1")
    tag = image_tag(tmp_path)
    built = build(tmp_path, tmp_path / "images", "fairway", tag)
    assert sorted(file.name for file in built.rglob("*.py")) == ["lake.py", "serve.py"]
    (tmp_path / "model_code/importing/scan.py").write_text("2")
    assert image_tag(tmp_path) == tag
    (tmp_path / "model_code/serve.py").write_text("2")
    assert image_tag(tmp_path) != tag
    context = (ROOT / "model_code/Dockerfile.dockerignore").read_text().splitlines()
    assert all(context.index(folder) > context.index("!model_code") for folder in NOT_IN_IMAGE)


def test_a_machine_that_builds_no_containers_is_an_error():
    assert image.engine_here(lambda name: name == "podman") == "podman"
    with pytest.raises(Failed, match="neither docker nor podman"):
        image.engine_here(lambda name: None)


# ---- the base

NAME = "docker.io/library/python:3.13-slim"
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {"digest": f"sha256:{'1' * 64}", "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
        {"digest": f"sha256:{'2' * 64}", "platform": {"architecture": "unknown", "os": "unknown"}},
        {"digest": f"sha256:{'3' * 64}", "platform": {"architecture": "amd64", "os": "linux"}},
        {"digest": f"sha256:{'4' * 64}"},
    ],
}


@pytest.mark.parametrize(
    ("engine", "asked"),
    [("docker", f"docker buildx imagetools inspect --raw {NAME}"), ("podman", f"podman manifest inspect {NAME}")],
)
def test_a_tag_is_built_from_by_the_digest_that_it_has_now_for_the_machines_that_run_it(engine, asked):
    programs = Recorder({"inspect": json.dumps(INDEX)})
    assert image.pinned(NAME, programs=programs, find=lambda: engine) == f"{NAME}@sha256:{'3' * 64}"
    assert programs.ran == [asked]


def test_a_digest_that_was_given_is_taken_and_no_program_asked():
    given, programs = f"mirror.example:5000/python@sha256:{'a' * 64}", Recorder()
    assert image.pinned(given, programs=programs, find=pytest.fail) == given
    assert programs.ran == []


@pytest.mark.parametrize(
    "given", [f"{NAME}@sha256:abc", f"{NAME}@latest", f"{NAME}@sha256:{'A' * 64}", f"@sha256:{'a' * 64}"]
)
def test_what_is_not_a_digest_is_refused(given):
    with pytest.raises(
        Refused, match=f"^base '{given}': a digest must be sha256: and 64 hex digits, as in {NAME}@sha256:"
    ):
        image.pinned(given, programs=Recorder(), find=pytest.fail)


@pytest.mark.parametrize(
    "printed", ['{"manifests": []}', json.dumps({**INDEX, "manifests": INDEX["manifests"][:2]}), '{"layers": []}']
)
def test_an_image_that_is_not_there_for_those_machines_is_refused(printed):
    with pytest.raises(
        Refused, match=f"^base '{NAME}': no list of platforms with linux/amd64; give its digest, --base {NAME}@sha256:"
    ):
        image.pinned(NAME, programs=Recorder({"inspect": printed}), find=lambda: "docker")


def test_a_registry_that_does_not_answer_leaves_nothing_to_build_on():
    with pytest.raises(Failed, match=f"^podman manifest ended with 125; .* give the digest: --base {NAME}@sha256:"):
        image.pinned(NAME, programs=Recorder({"inspect": None}), find=lambda: "podman")


def test_nothing_is_built_on_a_base_that_nobody_named():
    """A default in the Dockerfile would be a tag, and a plain `docker build` would take whatever it names that day."""
    assert "\nARG BASE_IMAGE\n" in (ROOT / "model_code/Dockerfile").read_text()


# ---- building


@pytest.mark.parametrize(
    ("engine", "how"),
    [
        ("docker", "buildx build --provenance=false --output type=docker,oci-mediatypes=false"),
        ("podman", "build --format docker"),
    ],
)
def test_the_image_is_of_the_kind_that_sagemaker_takes(engine, how):
    programs = Recorder()
    image.build(engine, "fairway:1", base=f"{NAME}@sha256:abc", programs=programs)
    assert programs.ran == [
        (
            f"{engine} {how} --file model_code/Dockerfile --target sagemaker --platform linux/amd64 "
            f"--build-arg BASE_IMAGE={NAME}@sha256:abc --tag fairway:1 ."
        )
    ]


@pytest.mark.parametrize(
    "made",
    ["COPY /opt/venv /opt/venv", f"/bin/sh -c #(nop) COPY dir:{'8b' * 32} in /opt/venv "],
    ids=["docker", "podman"],
)
def test_each_layer_is_listed_with_its_size(made):
    printed = {"history": f"50MB\t{made}\n0B\tENV LANG=C.UTF-8\n", "inspect": "51000000\n"}
    first, whole = image.layers("docker", "fairway:1", Recorder(printed))
    assert re.fullmatch(r"      50MB  COPY (/opt/venv )?/opt/venv", first)
    assert whole == "      51MB  fairway:1, all of it"
