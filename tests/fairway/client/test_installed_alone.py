"""The client's own wheel: it holds the client and nothing else, and runs with botocore alone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BOTOCORES = {"botocore", "urllib3", "jmespath", "dateutil", "six", "awscrt"}
# Refuses every module that is neither Python's, nor botocore's, nor in the wheel.
ALONE = f"""
import sys
class Refuse:
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {BOTOCORES | {"fairway"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse)
sys.path.insert(0, sys.argv[1])
from fairway.client import Fairway, Refused
import fairway.client.api
assert fairway.client.api.__file__.startswith(sys.argv[1]), fairway.client.api.__file__
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder into which the wheel was unpacked."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=ROOT / "packages/client", check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(out / "installed")
    return out / "installed"


def ask(installed: Path, code: str) -> str:
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": os.devnull}
    words = [sys.executable, "-I", "-c", ALONE + code, str(installed)]
    done = subprocess.run(words, env={**os.environ, **keys}, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_wheel_holds_the_client_and_nothing_of_the_application(installed):
    packages = {path.relative_to(installed).parts[0] for path in installed.iterdir()}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"fairway"}
    own = {str(path.relative_to(ROOT / "fairway")) for path in (ROOT / "fairway/client").glob("*.py")}
    assert {str(path.relative_to(installed / "fairway")) for path in (installed / "fairway").rglob("*.py")} == {
        "__init__.py",
        *own,
    }
    assert (installed / "fairway/py.typed").exists()


def test_a_request_is_answered_with_botocore_alone(installed, api):
    url, seen = api(lambda request: (200, {"id": "1", "got": request["body"]}))
    code = f"print(Fairway(url={url!r}, region='eu-west-1').predict({{'n': 1}})['got'])"
    assert ask(installed, code) == "{'n': 1}\n"
    assert "/eu-west-1/execute-api/aws4_request" in seen[0]["headers"]["authorization"]


def test_a_projects_folder_takes_the_application(installed):
    code = "\ntry:\n    Fairway('prod', 'flights')\nexcept Refused as refused:\n    print(refused.error, refused)"
    assert ask(installed, code).startswith(
        "not_installed stage = 'prod', project = 'flights': only the client is installed; pass url=;"
    )
