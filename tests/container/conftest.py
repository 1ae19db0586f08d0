"""The images that tests/container/build.sh built. Without them these tests are skipped: `make test-container` runs
both.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.model_code.projects import returns_project

IMAGE = os.environ.get("FAIRWAY_IMAGE")
WORK = Path(__file__).parents[2] / "build" / "container"
NOBODY = 10001
LOCKED = [
    "--read-only",
    "--network",
    "none",
    "--cap-drop",
    "all",
    "--security-opt",
    "no-new-privileges",
    "--tmpfs",
    "/tmp",
]


def podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    settings = {"CONTAINERS_STORAGE_CONF": str(WORK / "storage.conf"), "CONTAINERS_CONF": str(WORK / "containers.conf")}
    done = subprocess.run(
        ["podman", *arguments], env={**os.environ, **settings}, capture_output=True, text=True, timeout=180
    )
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


class Image(NamedTuple):
    """What a target builds, whom it starts as, and the rights that it needs to become nobody."""

    name: str
    user: int
    rights: tuple[str, ...] = ()


TARGETS = (
    Image(f"{IMAGE}:standalone", NOBODY),
    Image(f"{IMAGE}:sagemaker", 0, ("--cap-add", "setuid,setgid")),
)


@pytest.fixture(scope="session", params=TARGETS, ids=("standalone", "sagemaker"))
def image(request) -> Image:
    if not IMAGE:
        pytest.skip("FAIRWAY_IMAGE names no image; `make test-container` builds one, as root and with podman")
    return request.param


@pytest.fixture(scope="session")
def returns():
    """(contract, rows) of a small binary table."""
    return returns_project()


@pytest.fixture(scope="session")
def run(image):
    """run(verb, folder): the verb on the folder as /opt/ml, with nothing else to write to, no network and no rights."""

    def run(verb: str, folder: Path, *options: str, check: bool = True):
        hand_over(folder, image.user)
        return podman("run", "--rm", *LOCKED, "-v", f"{folder}:/opt/ml", *options, image.name, verb, check=check)

    return run


@pytest.fixture
def started(image):
    """started(*options and command): the name of a container that runs until the test ends."""
    names = []

    def start(*words: str) -> str:
        names.append(f"fairway-test-{os.getpid()}-{len(names)}")
        podman("run", "--detach", "--name", names[-1], *LOCKED, *image.rights, *words)
        return names[-1]

    yield start
    for name in names:
        podman("rm", "--force", "--time", "5", name, check=False)


@pytest.fixture
def served(image, started):
    """served(model folder, *options): the name of a container that serves it, once it is healthy."""

    def serve(model: Path, *options: str) -> str:
        hand_over(model, image.user)
        name = started("-v", f"{model}:/opt/ml/model:ro", *options, image.name, "serve")
        for _ in range(60):
            if is_healthy(name):
                return name
            time.sleep(0.5)
        pytest.fail(podman("logs", name, check=False).stdout)

    return serve


def is_healthy(container: str) -> bool:
    return podman("healthcheck", "run", container, check=False).returncode == 0


def hand_over(folder: Path, user: int) -> None:
    """To the user that the image starts as, who may be nobody on this machine."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user)
    for parent in list(folder.parents)[:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
