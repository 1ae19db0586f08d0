"""What an edit of the contract, or going back to a release of before it, breaks is told, and refused unless confirmed,
before anything is changed.
"""

import json

import pytest

from domain.config.sections import read_config
from domain.contract.change import WAYS_OUT, Kind
from domain.contract.packed import packed
from domain.fingerprints import fingerprints
from domain.release.routing import EMPTY, promote
from fairway.stage.aws import contract_of
from fairway.stage.change import refuse_breaking
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from tests.fairway.stage.test_settings import edit

CONTRACT = "flights/contract.toml"
FALLBACK = "cannot answer get the fallback until one is trained under this contract"
REMOVED = f"champion r-1: columns.seats: is removed, and rows that have it are refused; {WAYS_OUT[Kind.REMOVED]}"


def release(place, name: str) -> None:
    """Put a release that was made under the contract as it is written now."""
    contract = contract_of(place.folder, read_config(place.folder))
    place.put("routing", item=f"release#{name}", release=name, state="previous", contract=packed(contract))


def deploy(place) -> None:
    """Leave in the address book what a deployment of the files as they are now leaves there."""
    config = read_config(place.folder)
    place.enter(settings=fingerprints(config, contract_of(place.folder, config)), endpoint_prefix="")


@pytest.fixture
def released(place):
    """A project whose champion was made under the contract as it is written now."""
    release(place, "r-1")
    routing = promote(EMPTY, release="r-1", endpoint="e", at="2013-04-01T00:00:00Z", reason="the first")
    place.put("routing", item="routing", **routing)
    return place


def add_a_column(place) -> None:
    with (place.folder / CONTRACT).open("a") as file:
        file.write('\n[columns.gate]\ntype = "string"\nnullable = true\n')


def remove_a_column(place) -> None:
    """The section of the column, to the next one."""
    file = place.folder / CONTRACT
    before, _, rest = file.read_text().partition("[columns.seats]\n")
    file.write_text(before + rest[rest.index("[columns.") :])


def check(place) -> tuple[int, dict]:
    code, out, _ = place.run("check", "--against", "local", "--json")
    return code, json.loads(out)


def test_a_contract_that_is_not_edited_changes_nothing(released):
    code, said = check(released)
    assert (code, said["changes"]) == (0, [])


def test_a_compatible_edit_is_told_and_goes_on(released):
    add_a_column(released)
    code, said = check(released)
    message = "columns.gate: is new and may be null; the next release learns from it"
    told = {"release": "r-1", "role": "champion", "column": "gate", "kind": "added", "message": message}
    assert (code, said["changes"]) == (0, [told])
    refuse_breaking(released.folder, "local", confirmed=False, command="fairway up", progress=Progress())


def test_an_edit_that_breaks_the_champion_is_refused_with_the_way_out(released):
    remove_a_column(released)
    code, said = check(released)
    assert (code, said["error"]) == (2, "breaking")
    assert said["message"].splitlines() == [
        "the contract breaks a release that answers:",
        REMOVED,
        f"a deployment to local needs --breaking; rows that a release {FALLBACK}",
    ]


def test_a_deployment_is_refused_unless_it_is_confirmed(released, capsys):
    remove_a_column(released)
    with pytest.raises(Refused) as refused:
        refuse_breaking(released.folder, "local", confirmed=False, command="fairway up", progress=Progress())
    assert REMOVED in str(refused.value)
    assert "nothing was changed; `fairway up --breaking` deploys it nevertheless" in str(refused.value)
    refuse_breaking(released.folder, "local", confirmed=True, command="fairway up", progress=Progress())
    assert f"Note: {REMOVED}" in capsys.readouterr().err


def test_before_the_first_release_nothing_can_break(place):
    edit(place, CONTRACT, "nullable = true", "nullable = false")
    assert check(place)[0] == 0


def test_a_stage_that_is_not_deployed_yet_has_nothing_to_break(place):
    place.aws("ssm").delete_parameter(Name="/fairway/flights/local")
    assert check(place)[0] == 0


# ---- another release under the contract that is deployed

WITHOUT_SEATS = "columns.seats: is removed, and rows that have it are refused; " + WAYS_OUT[Kind.REMOVED]


@pytest.fixture
def outdated(released, monkeypatch):
    """The column `seats` was removed after r-1 was made; r-2 was made without it and is champion. Both are up."""
    monkeypatch.setattr("fairway.stage.promotion.is_up", lambda *_: True)
    monkeypatch.setattr("fairway.commands.releases.is_up", lambda *_: True)
    whole = (released.folder / CONTRACT).read_text()
    remove_a_column(released)
    release(released, "r-2")
    deploy(released)
    routing = promote(EMPTY, release="r-1", endpoint="r-1", at="2013-04-01T00:00:00Z", reason="the first")
    routing = promote(routing, release="r-2", endpoint="r-2", at="2013-05-01T00:00:00Z", reason="a better one")
    released.put("routing", item="routing", **routing)
    return released, whole


@pytest.mark.parametrize("words", [["promote", "r-1"], ["rollback"]])
def test_a_release_that_the_deployed_contract_breaks_answers_only_where_that_is_confirmed(outdated, words):
    place, _ = outdated
    code, out, _ = place.run(*words, "--json")
    refused = json.loads(out)
    assert (code, refused["error"]) == (2, "breaking")
    breaks, release, otherwise = refused["message"].splitlines()
    assert (breaks, release) == ("the deployed contract breaks that release:", f"r-1: {WITHOUT_SEATS}")
    typed = " ".join([words[0], "--project", str(place.folder), *words[1:], "--breaking"])
    assert otherwise == (
        f"nothing was changed; `fairway {typed}` lets it answer nevertheless, and rows that it cannot answer get the "
        "fallback"
    )
    assert place.values("status")["champion"] == "r-2"
    code, _, err = place.run(*words, "--breaking")
    assert code == 0 and f"Note: r-1: {WITHOUT_SEATS}" in err
    assert place.values("status")["champion"] == "r-1"


@pytest.mark.parametrize("edit", ["older", "broken"])
def test_it_is_the_deployed_contract_that_counts_and_not_the_file(outdated, edit):
    place, whole = outdated
    (place.folder / CONTRACT).write_text(whole if edit == "older" else "[columns")
    code, out, _ = place.run("rollback", "--json")
    assert (code, json.loads(out)["error"]) == (2, "breaking")


def test_one_that_nobody_has_any_more_stops_no_rollback_and_that_is_told(outdated):
    place, _ = outdated
    place.enter(settings={"contract": "00000000"})
    code, _, err = place.run("rollback")
    assert code == 0
    assert "Note: the deployed contract is neither the project's nor a release's, so it is not compared" in err


def test_what_only_callers_notice_stops_no_rollback(outdated):
    place, whole = outdated
    (place.folder / CONTRACT).write_text(whole)
    add_a_column(place)
    edit(place, CONTRACT, '[columns.gate]\ntype = "string"\nnullable = true', '[columns.gate]\ntype = "string"')
    deploy(place)
    code, _, err = place.run("rollback")
    assert code == 0 and "Note: r-1" not in err
