"""The command line itself: exit codes, one line for each failure, and help that costs nothing."""

import errno
import json
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from fairway.cli import main
from fairway.stage.aws import remember_state_folder
from fairway.stage.folder import keep_out_of_git
from fairway.terminal.command import as_typed
from local.ownership import take
from local.state import turn

FAIRWAY = Path(sys.executable).with_name("fairway")
COMMANDS = (
    "init",
    "check",
    "up",
    "down",
    "load",
    "quarantine",
    "unload",
    "train",
    "predict",
    "batch",
    "outcomes",
    "forget",
    "status",
    "releases",
    "promote",
    "rollback",
    "report",
)
NEED_A_STAGE = {
    "load": ["rows.csv"],
    "quarantine": [],
    "unload": ["rows.csv"],
    "train": [],
    "held-out": ["--out", "rows.csv"],
    "predict": ["{}"],
    "batch": ["rows.csv"],
    "outcomes": ["rows.csv"],
    "forget": ["UA1"],
    "status": [],
    "releases": [],
    "promote": ["r-1"],
    "rollback": [],
    "report": [],
}


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
        (["laod"], "No such command 'laod'. Did you mean 'load', 'unload'?; `fairway --help` shows what is allowed"),
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
        code, out, _ = run(capsys, *words, folder, *more, "--json")
        assert code == 2
        failures.append(json.loads(out))
    assert [failure["error"] for failure in failures] == ["config", "not_running", "config"]
    assert "fairway init" in failures[0]["message"]
    assert "fairway up" in failures[1]["message"]
    assert "stage = 'moon': must be one of local, dev, staging, prod" in failures[2]["message"]


def test_a_stage_that_is_not_deployed_says_how_to_deploy_it(place):
    place.aws("ssm").delete_parameter(Name="/fairway/flights/local")
    code, out, _ = place.run("status", "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (2, "not_deployed")
    assert (
        f"`fairway up --project {place.folder}`" in failure["message"]
        and "/fairway/flights/local" in failure["message"]
    )


@pytest.mark.parametrize("port", ["nobody's", "another project's"])
def test_a_local_aws_that_was_killed_counts_as_not_running_whoever_has_its_port_now(place, port):
    own = place.folder / ".fairway/local"
    remember_state_folder(place.folder, own)
    take(own)
    endpoint = "http://127.0.0.1:9" if port == "nobody's" else place.endpoint
    (own / "server.json").write_text(json.dumps({"endpoint": endpoint}))
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


@pytest.mark.parametrize(
    ("state", "said"), [("{file}", "is a file; name a folder"), ("/proc/none", "cannot be written")]
)
def test_up_names_a_state_that_can_be_none(capsys, project, tmp_path, state, said):
    (tmp_path / "file").touch()
    state = state.format(file=tmp_path / "file")
    code, _, err = run(capsys, "up", "--project", project, "--state", state)
    assert code == 2 and state in err and said in err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_up_waits_for_the_first_and_can_be_stopped(project, how):
    with (
        turn(project / ".fairway/local", waiting=pytest.fail),
        subprocess.Popen([FAIRWAY, "up", "--project", project], stderr=subprocess.PIPE, text=True) as command,
    ):
        assert command.stderr.readline() == "Waiting for another `fairway up` in this folder to end\n"
        command.send_signal(how)
        (said,) = command.stderr.read().splitlines()
    assert command.returncode == 130
    assert said.startswith("error: stopped while starting; nothing is left running")


@pytest.mark.parametrize("command", ["up", "down"])
def test_where_the_local_aws_cannot_run_that_is_said(capsys, project, monkeypatch, command):
    monkeypatch.setattr("fairway.commands.up.sys", SimpleNamespace(platform="win32"))
    code, _, err = run(capsys, command, "--project", project)
    assert code == 2 and "runs on Linux and macOS; on Windows use the Windows Subsystem for Linux" in err


def test_what_the_local_aws_holds_is_kept_out_of_git(project):
    keep_out_of_git(project)
    subprocess.run(["git", "init", "--quiet", project], check=True)
    (project / ".fairway/rows.csv").touch()
    seen = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"], cwd=project, capture_output=True, text=True
    )
    assert ".fairway" not in seen.stdout and "fairway.toml" in seen.stdout


def test_down_without_a_local_aws_is_fine(capsys, project):
    code, out, err = run(capsys, "down", "--project", project)
    state = project / ".fairway/local"
    assert (code, out) == (0, f"the local AWS was not running; it has no state yet: {state} does not exist\n")
    assert err.splitlines()[-1] == f"next: `fairway up --project {project}` starts it"


@pytest.mark.parametrize(
    ("told", "typed"),
    [
        ("run `fairway up`", "run `fairway up --project 'my shop'`"),
        (
            "`fairway batch 'a b.csv' --no-store` goes on",
            "`fairway batch --project 'my shop' --stage prod 'a b.csv' --no-store` goes on",
        ),
        ("`fairway resume --stage dev` and more", "`fairway resume --project 'my shop' --stage dev` and more"),
        ("`fairway prices refresh`", "`fairway prices refresh --project 'my shop' --stage prod`"),
        ("`fairway load --help` and `cdk synth`", "`fairway load --help` and `cdk synth`"),
    ],
)
def test_a_command_in_a_message_is_the_one_to_type_here(told, typed):
    assert as_typed(told, Path("my shop"), "prod") == typed
    assert as_typed(told, Path("."), "local") == told


def test_what_comes_next_is_for_the_same_project_and_stage(capsys, project):
    _, _, err = run(capsys, "check", "--project", project)
    assert err == f"next: `fairway up --project {project}` starts the local AWS with the project deployed\n"
    _, _, err = run(capsys, "check", "--project", project / "none")
    assert f"`fairway init --project {project / 'none'} --data FILE" in err


def test_whoever_reads_only_the_beginning_of_an_answer_sees_no_fault(project):
    words = [FAIRWAY, "check", "--project", project]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        command.stdout.close()
        assert command.stderr.read().startswith("next: ")
    assert command.returncode == 0


def test_a_full_disk_says_where_room_is_needed(capsys, project, monkeypatch):
    def full(folder, against):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fairway.commands.check.check", full)
    code, _, err = run(capsys, "check", "--project", project)
    assert (code, err) == (
        1,
        (
            f"error: No space left on device; make room where the project and {tempfile.gettempdir()} "
            "lie, then try again\n"
        ),
    )


def test_a_proxy_of_the_environment_does_not_stand_before_the_local_aws(place, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert place.values("status")["champion"] is None


def test_the_installed_command_is_this_one(project):
    done = subprocess.run([FAIRWAY, "check", "--project", project, "--json"], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)


def test_a_fault_of_ours_is_one_json_object_too_and_its_traceback_goes_to_standard_error(place):
    place.aws("ssm").put_parameter(Name="/fairway/flights/local", Type="String", Overwrite=True, Value="no JSON")
    code, out, err = place.run("status", "--json")
    assert (code, json.loads(out)["error"]) == (1, "internal")
    assert err.startswith("Traceback")
