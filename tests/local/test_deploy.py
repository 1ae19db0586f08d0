"""Deploying onto the local AWS: when it is done again, what an image is, and how it fails. The journeys deploy the real
app.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import deploy
from local.build import build, tree_hash
from local.cdk import DeployFailed, Target, environment, start_app, start_cdk
from local.profile import RootKey
from local.state import LocalError
from tests.local.conftest import eventually

KEY = RootKey("000000000000", "a secret of the local AWS")


def test_the_fingerprint_changes_with_the_project_and_the_image_and_with_nothing_else(tmp_path):
    (tmp_path / "fairway.toml").write_text("a = 1")
    (tmp_path / "contract.toml").write_text("b = 1")

    def fingerprint(tag="t1"):
        return deploy.fingerprint(tmp_path, contract="contract.toml", stage="local", tag=tag)

    first = fingerprint()
    (tmp_path / "rows.csv").write_text("data")
    assert fingerprint() == first != fingerprint(tag="t2")
    (tmp_path / "contract.toml").write_text("b = 2")
    assert fingerprint() != first


def test_a_hash_of_files_sees_names_and_bytes_and_no_caches(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "a.py").write_text("1")
    first = tree_hash([tmp_path], relative_to=tmp_path)
    (tmp_path / "__pycache__/a.pyc").write_bytes(b"compiled")
    assert tree_hash([tmp_path], relative_to=tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert tree_hash([tmp_path], relative_to=tmp_path) != first


def test_an_image_is_the_sources_of_its_moment_and_a_tag_never_changes(tmp_path):
    root, images = tmp_path / "root", tmp_path / "images"
    for source in ("model_code", "domain"):
        (root / source / "__pycache__").mkdir(parents=True)
        (root / source / "code.py").write_text("first")
    image = build(root, images, "flights-local", "t1")
    assert sorted(str(path.relative_to(images)) for path in images.rglob("*.py")) == [
        "flights-local/t1/domain/code.py",
        "flights-local/t1/model_code/code.py",
    ]
    (root / "domain/code.py").write_text("second")
    assert build(root, images, "flights-local", "t1") == image
    assert (image / "domain/code.py").read_text() == "first"
    assert not list(images.rglob("__pycache__")) and not list(images.rglob(".building*"))


def test_the_address_book_follows_the_local_aws_to_another_port():
    book = {"api_url": "http://127.0.0.1:4000/_aws/execute-api/abc", "lake": "l"}
    assert deploy.at_this_port(book, "http://127.0.0.1:5000") == {
        "api_url": "http://127.0.0.1:5000/_aws/execute-api/abc",
        "lake": "l",
    }


def test_the_name_of_an_image_is_read_from_its_uri():
    assert deploy.repository_and_tag("000000000000.dkr.ecr.us-east-1.amazonaws.com/a/b:t1") == ("a/b", "t1")
    with pytest.raises(LocalError, match="is not <registry>/<repository>:<tag>"):
        deploy.repository_and_tag("flights:t1")


def test_where_no_local_aws_answers_the_fix_is_named():
    with pytest.raises(LocalError, match="no local AWS answers at http://127.0.0.1:9; start it with `fairway up`"):
        deploy.state_folder("http://127.0.0.1:9")


def test_the_cdk_gets_no_credentials_profile_or_setting_of_this_machine(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real secret")
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", "123456789012")
    given = environment("http://127.0.0.1:1", KEY)
    assert (given["AWS_SECRET_ACCESS_KEY"], given["AWS_ENDPOINT_URL"]) == (KEY.secret_key, "http://127.0.0.1:1")
    assert {"AWS_PROFILE", "CDK_DEFAULT_ACCOUNT"} & given.keys() == set()
    assert given["AWS_CONFIG_FILE"] == given["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_an_app_that_fails_tells_its_last_words_and_where_the_rest_is(tmp_path):
    (tmp_path / "app.py").write_text("raise SystemExit('fairway.toml: [project] name is missing')")
    log = tmp_path / "deploy.log"
    with pytest.raises(DeployFailed) as failed:
        start_app(Target("http://127.0.0.1:1", KEY, log), {}, root=tmp_path).finish()
    assert "app.py failed" in str(failed.value) and str(log) in str(failed.value)
    assert "fairway.toml: [project] name is missing" in str(failed.value)
    assert "fairway.toml: [project] name is missing" in log.read_text()


def test_a_cdk_that_is_given_up_leaves_no_process(tmp_path):
    (tmp_path / "app.py").write_text("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
    target = Target("http://127.0.0.1:1", KEY, tmp_path / "log")
    cdk = start_cdk(target, "synth", "--app", "python3 app.py", folder=tmp_path)
    written = tmp_path / "pid"
    while not (written.exists() and written.read_text()):
        time.sleep(0.05)
    cdk.end()
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{written.read_text()}/cmdline") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{written.read_text()}/stat") or is_zombie(written.read_text())


STARTER = """
from pathlib import Path
from local.cdk import Target, start_cdk
from local.profile import RootKey
folder = Path({folder!r})
target = Target("http://127.0.0.1:1", RootKey("0", "s"), folder / "log")
start_cdk(target, "synth", "--app", "{python} app.py", folder=folder).finish()
"""


def test_a_cdk_whose_starter_is_killed_ends_too(tmp_path):
    (tmp_path / "app.py").write_text("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
    starter = subprocess.Popen([sys.executable, "-c", STARTER.format(folder=str(tmp_path), python=sys.executable)])
    written = tmp_path / "pid"
    app = eventually(lambda: written.exists() and written.read_text())
    starter.kill()
    starter.wait()
    eventually(lambda: not Path(f"/proc/{app}").exists() or is_zombie(app))


def is_zombie(process: str) -> bool:
    with open(f"/proc/{process}/stat") as status:
        return status.read().split()[2] == "Z"
