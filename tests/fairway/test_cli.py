"""The command line itself: exit codes, one line for each failure, and help that costs nothing."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cli import main

FAIRWAY = Path(sys.executable).with_name("fairway")
COMMANDS = (
    "init",
    "check",
    "up",
    "down",
    "load",
    "train",
    "predict",
    "batch",
    "outcomes",
    "status",
    "releases",
    "promote",
    "rollback",
    "report",
)
NEED_A_STAGE = {
    "load": ["rows.csv"], "train": [], "predict": ["--json", "{}"], "batch": ["rows.csv"], "outcomes": ["rows.csv"], "status": [],
    "releases": [], "promote": ["r-1"], "rollback": [], "report": [],
}  # fmt: skip


def run(capsys, *words) -> tuple[int, str, str]:
    code = main(list(map(str, words)))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_every_command_has_help_with_an_example(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0 and all(f"\n  {command} " in out for command in COMMANDS)
    for command in COMMANDS:
        code, out, _ = run(capsys, command, "--help")
        assert code == 0 and f"Example: fairway {command}" in " ".join(out.split())


def test_help_and_refusals_import_neither_the_aws_sdk_nor_arrow():
    words = (["--help"], ["check", "--project", "/no"], ["status", "--project", "/no"])
    code = f"from fairway.cli import main; [main(asked) for asked in {words}]"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time")
    }
    assert imported & {"boto3", "botocore", "pyarrow", "numpy", "pandas"} == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["laod"], "No such command 'laod'. Did you mean 'load'?; `fairway --help` shows what is allowed"),
        (["load"], "Missing argument 'FILE...'; `fairway load --help` shows what is allowed"),
        (["up", "--port", "70000"], "`fairway up --help` shows what is allowed"),
        (["status", "--shiny"], "No such option: --shiny"),
    ],
)
def test_words_that_are_no_command_exit_2_with_one_line(capsys, words, said):
    code, out, err = run(capsys, *words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("error: ") and said in err


@pytest.mark.parametrize("command", NEED_A_STAGE)
def test_every_command_says_what_is_missing_step_by_step(capsys, tmp_path, project, command):
    words = [command, *NEED_A_STAGE[command], "--project"]
    failures = []
    for folder, more in ((tmp_path / "nothing", []), (project, []), (project, ["--stage", "moon"])):
        machine = [] if command == "predict" else ["--json"]
        code, out, _ = run(capsys, *words, folder, *more, *machine)
        assert code == 2
        failures.append(json.loads(out))
    assert [failure["error"] for failure in failures] == ["config", "not_running", "config"]
    assert "fairway init" in failures[0]["message"]
    assert "fairway up" in failures[1]["message"]
    assert "stage 'moon' is not there; stages: local, dev, staging, prod" in failures[2]["message"]


def test_a_stage_that_is_not_deployed_says_how_to_deploy_it(place):
    place.aws("ssm").delete_parameter(Name="/fairway/flights/local")
    code, out, _ = place.run("status", "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "not_deployed")
    assert "`fairway up`" in failure["message"] and "/fairway/flights/local" in failure["message"]


def test_a_local_aws_that_was_killed_counts_as_not_running(place):
    (place.folder / ".fairway/local/server.json").write_text(json.dumps({"endpoint": "http://127.0.0.1:9"}))
    code, out, _ = place.run("status", "--json")
    assert (code, json.loads(out)["error"]) == (2, "not_running")


def test_a_real_stage_without_credentials_says_how_to_sign_in(capsys, project, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    code, out, _ = run(capsys, "status", "--stage", "prod", "--project", project, "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (1, "credentials")
    assert "aws configure sso" in failure["message"]


def test_up_names_a_port_in_use_and_a_folder_that_is_no_state(capsys, project, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run(capsys, "up", "--project", project, "--port", port)
        assert code == 2 and f"port {port} on 127.0.0.1 cannot be used" in err and "--port" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("dear")
    code, _, err = run(capsys, "up", "--project", project, "--state", tmp_path / "full")
    assert code == 2 and "holds 'letter.txt' but no version.json" in err


def test_down_without_a_local_aws_is_fine(capsys, project):
    code, out, err = run(capsys, "down", "--project", project)
    assert code == 0 and "was not running" in out and err.splitlines()[-1] == "next: `fairway up` starts it again"


def test_the_installed_command_is_this_one(project):
    done = subprocess.run([FAIRWAY, "check", "--project", project, "--json"], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)


def test_a_fault_of_ours_is_one_json_object_too_and_its_traceback_goes_to_standard_error(place):
    place.aws("ssm").put_parameter(Name="/fairway/flights/local", Type="String", Overwrite=True, Value="no JSON")
    code, out, err = place.run("status", "--json")
    assert (code, json.loads(out)["error"]) == (1, "internal")
    assert err.startswith("Traceback")
