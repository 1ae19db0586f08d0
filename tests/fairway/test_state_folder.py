"""Where the commands find a project's local AWS, and that a project which came with one sends nobody there."""

import json
import shlex
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairway.cli import main
from fairway.stage.aws import remember_state_folder, state_folder
from local.profile import root_key, variables

WAY_OUT = " --adopt` takes it over"


@pytest.fixture
def trap():
    """(its address, the requests it saw): a server that claims to be the local AWS of whoever asks."""
    seen = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            reply = json.dumps({"pid": 1, "state": ".fairway/local"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            """Nothing on the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Trap) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()


@pytest.fixture
def cloned(place, local_aws, trap, monkeypatch):
    """The project with a state folder that was committed to it, which names the trap as its address."""
    theirs = place.folder / ".fairway/local"
    theirs.mkdir(parents=True)
    for name in ("version.json", "owner"):
        shutil.copy(local_aws["state"] / name, theirs)
    shutil.copytree(local_aws["state"] / "aws", theirs / "aws")
    (theirs / "server.json").write_text(json.dumps({"endpoint": trap[0], "pid": 1, "port": 1}))
    remember_state_folder(place.folder, theirs)
    monkeypatch.chdir(place.folder)
    return place


@pytest.mark.parametrize("command", [["up"], ["status"], ["load", "rows.csv"], ["releases"]], ids=lambda each: each[0])
def test_a_state_folder_that_came_with_a_project_is_refused_and_its_address_is_not_asked(cloned, trap, command):
    (cloned.folder / "rows.csv").write_text("a,b\n1,2\n")
    code, out, _ = cloned.run(*command, "--json")
    message = json.loads(out)["message"]
    assert (
        code == 2
        and f"state folder {state_folder(cloned.folder)} was not made by you" in message
        and WAY_OUT in message
    )
    assert trap[1] == []


def test_a_single_file_of_a_state_folder_sends_nobody_to_the_address_in_it(cloned, trap):
    for name in ("version.json", "owner"):
        (cloned.folder / ".fairway/local" / name).unlink()
    code, out, _ = cloned.run("status", "--json")
    assert code == 2 and "was not made by you" in json.loads(out)["message"]
    assert trap[1] == []


def test_a_pointer_that_came_with_a_project_leads_nowhere(project, tmp_path):
    (project / ".fairway").mkdir()
    (project / ".fairway/state").write_text(f"{tmp_path}/theirs\n")
    assert state_folder(project) == project / ".fairway/local"


def test_the_folder_that_up_was_sent_to_is_remembered_outside_of_the_project(project, tmp_path):
    before = sorted(project.rglob("*"))
    remember_state_folder(project, tmp_path / "own")
    assert (state_folder(project), sorted(project.rglob("*"))) == (tmp_path / "own", before)
    remember_state_folder(project, project / ".fairway/local")
    assert state_folder(project) == project / ".fairway/local"


def test_up_with_its_state_elsewhere_writes_nothing_into_the_project_and_down_finds_it(
    project, tmp_path_factory, monkeypatch, capsys
):
    """As for a project that cannot be written to. What is deployed, and how, is left out: the journeys do it."""
    deployed = {"changed": False, "address_book": {"api_url": "http://127.0.0.1/api"}}
    monkeypatch.setattr("local.deploy.deploy", lambda *_, **__: deployed)
    state, before = tmp_path_factory.mktemp("elsewhere") / "my state", sorted(project.rglob("*"))
    try:
        assert main(["up", "--state", str(state), "--project", str(project)]) == 0
        said = capsys.readouterr().out
        exported = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables(state).items())
        assert f"to reach it with the AWS CLI and SDKs: export {exported}" in said
        assert root_key(state).secret_key not in said
    finally:
        assert main(["down", "--json", "--project", str(project)]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": True, "state": str(state)}
    assert sorted(project.rglob("*")) == before
