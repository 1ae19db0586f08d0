"""A state folder is opened by the user who made it, and its secrets are read by nobody else."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local import start
from local.profile import PROFILE, root_key, variables
from local.state import LocalError
from tests.local.conftest import Aws

WAY_OUT = r"Remove it \(rm -r .*\) or name another with --state; if you trust .* `fairway up --adopt` takes it over"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "state"
    start.stop(tmp_path / "state")


def run(folder: Path, **options) -> Aws:
    return Aws(start.start(folder.parent, 0, folder, False, **options), folder)


def modes(folder: Path) -> dict[str, str]:
    names = (".", "aws", "aws/credentials", "aws/config", "owner")
    return {name: oct(stat.S_IMODE((folder / name).stat().st_mode)) for name in names}


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077], ids=oct)
def test_nobody_else_can_read_what_the_folder_holds(folder, umask):
    folder.mkdir(mode=0o777)
    before = os.umask(umask)
    try:
        run(folder)
    finally:
        os.umask(before)
    private_file, private_folder = "0o600", "0o700"
    assert modes(folder) == {
        ".": private_folder,
        "aws": private_folder,
        "aws/credentials": private_file,
        "aws/config": private_file,
        "owner": private_file,
    }


def test_every_folder_has_a_secret_of_its_own_that_a_restart_keeps(folder, tmp_path):
    first = run(folder)
    start.stop(folder)
    again = run(folder)
    assert first.root == again.root and len(first.root.secret_key) >= 40
    assert again.client("sts").get_caller_identity()["Account"] == "000000000000"
    other = tmp_path / "other"
    try:
        assert run(other).root.secret_key != first.root.secret_key
    finally:
        start.stop(other)


def test_the_secret_is_in_no_log_no_command_line_and_no_other_file(aws):
    secret = aws.root.secret_key.encode()
    holders = [
        str(path.relative_to(aws.folder))
        for path in aws.folder.rglob("*")
        if path.is_file() and secret in path.read_bytes()
    ]
    assert holders == ["aws/credentials"]
    assert secret not in Path(f"/proc/{aws.server['pid']}/cmdline").read_bytes()


def test_an_sdk_finds_region_address_and_key_by_the_profile(aws):
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**plain, **variables(aws.folder)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "arn:aws:iam::000000000000:root\n"
    assert variables(aws.folder)["AWS_PROFILE"] == PROFILE


def cloned(folder: Path, to: Path) -> Path:
    """As a clone or an archive brings it: every file, and made anew."""
    return shutil.copytree(folder, to)


@pytest.fixture
def foreign(folder, tmp_path):
    """A folder with something in it that came from elsewhere."""
    aws = run(folder)
    aws.client("ssm").put_parameter(Name="/theirs", Value="book", Type="String")
    start.stop(folder)
    copy = cloned(folder, tmp_path / "cloned")
    yield copy
    start.stop(copy)


def test_a_folder_that_came_from_elsewhere_is_refused_by_name_with_the_way_out(foreign):
    before = {path: path.stat().st_mtime_ns for path in foreign.rglob("*")}
    with pytest.raises(LocalError, match=f"state folder {foreign} was not made by you on this machine.*{WAY_OUT}"):
        start.start(foreign.parent, 0, foreign, False)
    served = subprocess.run(
        [sys.executable, "-m", "local", "serve", "--state", str(foreign)], capture_output=True, text=True, check=False
    )
    assert served.returncode == 2 and "was not made by you" in served.stderr
    assert {path: path.stat().st_mtime_ns for path in foreign.rglob("*")} == before


def test_a_folder_is_refused_without_a_stamp_and_with_another_secret(folder):
    run(folder)
    start.stop(folder)
    credentials = folder / "aws" / "credentials"
    credentials.write_text(
        credentials.read_text().replace(root_key(folder).secret_key, "known to whoever committed it")
    )
    with pytest.raises(LocalError, match="was not made by you"):
        run(folder)
    (folder / "owner").unlink()
    with pytest.raises(LocalError, match="was not made by you"):
        run(folder)


def test_another_user_of_the_machine_or_another_machine_is_refused(folder, tmp_path, monkeypatch):
    run(folder)
    start.stop(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    with pytest.raises(LocalError, match="was not made by you on this machine"):
        run(folder)


def test_a_folder_that_was_moved_stays_its_owners(folder, tmp_path):
    run(folder)
    start.stop(folder)
    moved = folder.rename(tmp_path / "moved")
    try:
        assert run(moved).client("sts").get_caller_identity()["Account"] == "000000000000"
    finally:
        start.stop(moved)


def test_an_adopted_folder_is_restored_under_a_new_secret(foreign):
    theirs = root_key(foreign)
    aws = run(foreign, adopt=True)
    assert aws.client("ssm").get_parameter(Name="/theirs")["Parameter"]["Value"] == "book"
    with pytest.raises(Exception, match="InvalidSignature"):
        aws.client("ssm", theirs).get_parameter(Name="/theirs")
    start.stop(foreign)
    run(foreign)


def test_adopting_ones_own_folder_changes_nothing(folder):
    before = run(folder).root
    assert run(folder, adopt=True).root == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666], ids=oct)
def test_an_identity_that_others_can_read_is_refused(folder, tmp_path, monkeypatch, mode):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    run(folder)
    start.stop(folder)
    identity = tmp_path / "user/fairway/identity"
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    identity.chmod(mode)
    with pytest.raises(LocalError, match=f"{identity} belongs to or can be read by others"):
        run(folder)


def test_a_user_folder_that_cannot_be_made_is_named_with_what_to_set(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(LocalError, match="cannot be used .*set XDG_STATE_HOME to a folder of yours"):
        run(folder)
