"""The image that tests/container/build.sh built. Without it these tests are skipped: `make test-container` runs both."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.model_code.projects import returns_project

IMAGE = os.environ.get("FAIRWAY_IMAGE")
WORK = Path(__file__).parents[2] / "build" / "container"
USER = 10001
LOCKED = ["--read-only", "--network", "none", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]


def podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    settings = {"CONTAINERS_STORAGE_CONF": str(WORK / "storage.conf"), "CONTAINERS_CONF": str(WORK / "containers.conf")}
    done = subprocess.run(["podman", *arguments], env={**os.environ, **settings}, capture_output=True, text=True, timeout=180)
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="session")
def image() -> str:
    if not IMAGE:
        pytest.skip("FAIRWAY_IMAGE names no image; `make test-container` builds one, as root and with podman")
    return IMAGE


@pytest.fixture(scope="session")
def returns():
    """(contract, rows) of a small binary table."""
    return returns_project()


@pytest.fixture(scope="session")
def run(image):
    """run(verb, folder): the verb on the folder as /opt/ml, with nothing else to write to, no network and no rights."""

    def run(verb: str, folder: Path, *options: str, check: bool = True):
        hand_over(folder)
        return podman("run", "--rm", *LOCKED, "-v", f"{folder}:/opt/ml", *options, image, verb, check=check)

    return run


@pytest.fixture
def served(image):
    """served(model folder, *options): the name of a container that serves it, once it is healthy."""
    names = []

    def serve(model: Path, *options: str) -> str:
        hand_over(model)
        names.append(f"fairway-test-{os.getpid()}-{len(names)}")
        podman("run", "--detach", "--name", names[-1], *LOCKED, "-v", f"{model}:/opt/ml/model:ro", *options, image, "serve")
        for _ in range(60):
            if podman("healthcheck", "run", names[-1], check=False).returncode == 0:
                return names[-1]
            time.sleep(0.5)
        pytest.fail(podman("logs", names[-1], check=False).stdout)

    yield serve
    for name in names:
        podman("rm", "--force", "--time", "5", name, check=False)


def hand_over(folder: Path) -> None:
    """To the image's user, who is nobody on this machine."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, USER, USER)
    for parent in list(folder.parents)[:-2]:
        parent.chmod(parent.stat().st_mode | 0o011)
