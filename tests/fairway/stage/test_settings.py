"""Settings that were edited since the deployment are reported; broken ones do not stop what has to work."""

import json

import pytest

from domain.config.sections import read_config
from domain.fingerprints import fingerprints
from domain.release.routing import EMPTY
from fairway.cli import main
from fairway.stage.aws import contract_of
from tests.fairway.client.server import serving


@pytest.fixture
def deployed(place):
    """A project whose address book knows what it was deployed with."""
    config = read_config(place.folder)
    place.enter(settings=fingerprints(config, contract_of(place.folder, config)))
    return place


def edit(place, file: str, old: str, new: str) -> None:
    path = place.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_is_deployed_as_it_is_written_is_not_mentioned(deployed):
    _, _, err = deployed.run("status")
    assert "Note:" not in err


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("fairway.toml", "spot = true", "spot = false", "[training] differs from what is deployed"),
        ("flights/contract.toml", "nullable = true", "nullable = false", "the contract differs from what is deployed"),
    ],
)
@pytest.mark.parametrize("command", ["status", "predict"])
def test_an_edit_that_is_not_deployed_is_reported_by_name(deployed, command, file, old, new, named):
    edit(deployed, file, old, new)
    answer = (200, {"predictions": [{"id": "1", "probability": None}]})
    with serving(lambda _: answer) as (url, _):
        deployed.enter(api_url=url)
        code, _, err = deployed.run(command, *(['{"n": 1}'] if command == "predict" else []))
    assert code == 0
    assert f"Note: {named}, and the deployed values are used; `fairway up` applies the edit" in err


@pytest.mark.parametrize("broken", ["[serving]\ndeadline_ms = 'fast'", "[serving\n=", "[nonsense]\nx = 1"])
def test_a_broken_fairway_toml_stops_neither_status_nor_rollback(deployed, broken):
    with (deployed.folder / "fairway.toml").open("a") as file:
        file.write(f"\n{broken}\n")
    code, out, err = deployed.run("status", "--json")
    assert (code, json.loads(out)["champion"]) == (0, None)
    assert err.startswith(f"Note: {deployed.folder}/fairway.toml: ") and "continuing without it" in err
    deployed.put("routing", **{**EMPTY, "item": "routing"})
    code, out, _ = deployed.run("rollback", "--json")
    assert (code, json.loads(out)["error"]) == (2, "routing")  # it came to the routing, which has nothing to go back to
    code, out, _ = deployed.run("train", "--json")
    assert (code, json.loads(out)["error"]) == (2, "config")


def test_a_broken_fairway_toml_does_not_keep_the_local_aws_running(project, capsys):
    (project / "fairway.toml").write_text("[project\n")
    assert main(["down", "--project", str(project)]) == 0
    assert capsys.readouterr().out.startswith("the local AWS was not running; ")


def test_a_file_that_does_not_name_its_project_is_refused(deployed):
    (deployed.folder / "fairway.toml").write_text("[project\n")
    code, out, _ = deployed.run("status", "--json")
    assert (code, json.loads(out)["error"]) == (2, "config")
