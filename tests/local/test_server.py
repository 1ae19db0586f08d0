"""The server: loopback only, one per state folder, state that outlives a stop and a kill -9, and nothing left
running.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local import guard, start
from local.ministack import missing_hooks
from local.state import FORMAT, MINISTACK, LocalError, turn
from tests.local.conftest import Aws, eventually

LOOPBACK = "0100007F"
LISTENING = "0A"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "state"
    start.stop(tmp_path / "state")


def run(folder: Path, *, enforce_iam: bool = False) -> Aws:
    return Aws(start.start(folder.parent, 0, folder, enforce_iam), folder)


def kill(aws: Aws) -> None:
    os.kill(aws.server["pid"], signal.SIGKILL)
    eventually(lambda: not start.is_alive(aws.server["pid"]))


def listening_addresses(process: int) -> set[str]:
    """The local addresses, in /proc's hex, that a process listens on."""
    sockets = {
        re.search(r"\d+", os.readlink(link))[0]
        for link in Path(f"/proc/{process}/fd").iterdir()
        if link.exists() and "socket" in os.readlink(link)
    }
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[1].partition(":")[0] for line in lines if line[3] == LISTENING and line[9] in sockets}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_everything_listens_on_loopback_only(aws):
    aws.invoke(aws.function("def handler(event, context): return 1"))
    workers = guard.marked(aws.server["mark"])
    assert workers
    processes = {aws.server["pid"], *workers}
    assert set().union(*map(listening_addresses, processes)) == {LOOPBACK}


def test_a_second_start_finds_the_server_that_runs(aws):
    assert start.start(aws.folder.parent, 0, aws.folder, False) == aws.server == start.running(aws.folder)


def test_another_port_than_that_of_the_running_server_is_refused(aws):
    with pytest.raises(LocalError, match=f"already runs on port {aws.server['port']}, not 4566"):
        start.start(aws.folder.parent, 4566, aws.folder, True)


def test_a_second_server_on_the_same_folder_is_refused(aws):
    ended = subprocess.run(
        [sys.executable, "-m", "local", "serve", "--state", str(aws.folder)], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert f"error: state folder {aws.folder} is in use by another local AWS" in ended.stderr


def test_a_port_in_use_is_refused_and_nothing_is_left(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=f"port {port} on 127.0.0.1 cannot be used .* choose another with --port"):
            start.start(folder.parent, port, folder, False)
    assert start.running(folder) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_zombie_that_nobody_collects_counts_as_gone():
    """As the server does in a container without an init: a stop would wait for it for ever."""
    program = "import os, time; child = os.fork(); child or os._exit(0); print(child, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)  # its number is still there
        eventually(lambda: not start.is_alive(child))
        assert start.is_alive(parent.pid)
        parent.kill()


def test_what_somebody_else_has_ended_meanwhile_is_ended():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    start.end(process.pid)
    assert not start.is_alive(process.pid)


def test_a_second_up_waits_for_the_first_and_says_so(folder):
    order, inside, waited = [], threading.Event(), threading.Event()

    def first():
        with turn(folder, waiting=pytest.fail):
            inside.set()
            assert waited.wait(10)
            order.append("first")

    def second():
        inside.wait(10)
        with turn(folder, waiting=waited.set):
            order.append("second")

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    assert order == ["first", "second"]


def test_a_folder_of_another_version_is_refused_with_what_to_do(folder):
    folder.mkdir()
    (folder / "version.json").write_text(json.dumps({"ministack": "1.4.10", "format": 0}))
    with pytest.raises(
        LocalError,
        match=re.escape(
            f"was written with MiniStack 1.4.10, format 0; this version reads MiniStack {MINISTACK}, format {FORMAT}. "
            "Use another folder with --state, or the version of Fairway that wrote it; the objects "
            "of its lake are files "
            f"below {folder}/s3"
        ),
    ):
        start.start(folder.parent, 0, folder, False)


def test_a_folder_of_something_else_is_refused_and_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(LocalError, match="holds 'thesis.tex' but no version.json"):
        start.start(folder.parent, 0, folder, False)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/config"])
def test_nobody_wipes_or_reconfigures_the_server_over_http(aws, path):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{aws.endpoint}{path}", data=b"{}")


def test_a_missing_hook_is_named():
    assert missing_hooks(["ministack.app:main", "ministack.app:no_such", "ministack.no_such:x"]) == [
        "ministack.app:no_such",
        "ministack.no_such:x",
    ]


def fill(aws: Aws) -> str:
    """Something of every service that our app uses; returns a function's name."""
    aws.client("s3").create_bucket(Bucket="lake")
    aws.client("s3").put_object(Bucket="lake", Key="rows/a", Body=b"bytes", Metadata={"own": "1"})
    aws.client("dynamodb").create_table(
        TableName="rows",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    aws.client("dynamodb").put_item(TableName="rows", Item={"id": {"S": "a"}, "data": {"B": b"\x00\xff"}})
    function = aws.function("def handler(event, context): return 'answered'")
    aws.client("ssm").put_parameter(Name="/own", Value="book", Type="String")
    machine = aws.machine({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})
    aws.client("stepfunctions").start_execution(stateMachineArn=machine, name="cut-short")
    aws.invoke(function)
    return function


def check(aws: Aws, function: str) -> None:
    stored = aws.client("s3").get_object(Bucket="lake", Key="rows/a")
    assert (stored["Body"].read(), stored["Metadata"]) == (b"bytes", {"own": "1"})
    assert aws.client("dynamodb").get_item(TableName="rows", Key={"id": {"S": "a"}})["Item"]["data"]["B"] == b"\x00\xff"
    assert aws.client("ssm").get_parameter(Name="/own")["Parameter"]["Value"] == "book"
    assert aws.invoke(function) == ("answered", None)
    flows = aws.client("stepfunctions")
    machine = flows.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    [execution] = flows.list_executions(stateMachineArn=machine)["executions"]
    ended = flows.describe_execution(executionArn=execution["executionArn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ServiceRestart")


def test_a_stop_keeps_everything_and_a_start_goes_on_at_the_same_address(folder):
    before = run(folder)
    function = fill(before)
    assert start.stop(folder) is True
    assert guard.marked(before.server["mark"]) == []
    assert start.running(folder) is None and not (folder / "server.json").exists()
    after = run(folder)
    assert after.endpoint == before.endpoint
    check(after, function)


def test_a_kill_loses_nothing_and_leaves_no_process(folder):
    before = run(folder)
    function = fill(before)
    assert guard.marked(before.server["mark"])  # the function's worker
    kill(before)
    eventually(lambda: guard.marked(before.server["mark"]) == [], timeout_s=5)
    assert start.running(folder) is None
    check(run(folder), function)


def test_a_deployment_that_a_kill_cut_short_can_be_taken_up_again(folder):
    aws = run(folder)
    function = aws.function("import time\ndef handler(event, context): time.sleep(9)")
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Slow": {"Type": "Custom::Slow", "DependsOn": "Topic", "Properties": {"ServiceToken": function}},
        }
    }
    aws.client("cloudformation").create_stack(StackName="cut", TemplateBody=json.dumps(template))
    time.sleep(4.5)
    kill(aws)
    formation = run(folder).client("cloudformation")
    assert formation.describe_stacks(StackName="cut")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"


def test_ctrl_c_during_a_start_leaves_nothing_running(folder):
    script = (
        f"from pathlib import Path; from local.start import start; start(Path('.'), 0, Path({str(folder)!r}), False)"
    )
    starting = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, start_new_session=True)
    eventually(lambda: start.is_locked(folder))
    os.killpg(starting.pid, signal.SIGINT)
    assert starting.wait(20) != 0
    eventually(lambda: not start.is_locked(folder))
    assert not (folder / "server.json").exists()


def test_a_start_takes_up_a_server_that_another_start_was_killed_over(folder):
    script = (
        f"from pathlib import Path; from local.start import start; start(Path('.'), 0, Path({str(folder)!r}), False)"
    )
    starting = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    eventually(lambda: start.is_locked(folder))
    starting.kill()
    starting.wait()
    assert run(folder).client("sts").get_caller_identity()["Account"] == "000000000000"


def test_the_credentials_of_this_machine_never_reach_what_runs_in_the_local_aws(folder, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real secret")
    monkeypatch.setenv("AWS_PROFILE", "production")
    aws = run(folder)
    monkeypatch.delenv("AWS_PROFILE")
    function = aws.function("import os\ndef handler(event, context): return dict(os.environ)")
    environment, _ = aws.invoke(function)
    assert environment["AWS_SECRET_ACCESS_KEY"] != "a real secret" and "AWS_PROFILE" not in environment
