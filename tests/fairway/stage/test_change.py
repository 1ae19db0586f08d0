"""What an edit of the contract breaks is told, and refused unless confirmed, before anything is changed."""

import json

import pytest

from domain.config.sections import read_config
from domain.contract.change import WAYS_OUT, Kind
from domain.contract.packed import packed
from domain.release.routing import EMPTY, promote
from fairway.stage.aws import contract_of
from fairway.stage.change import refuse_breaking
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from tests.fairway.stage.test_settings import edit

CONTRACT = "flights/contract.toml"
FALLBACK = "cannot answer get the fallback until one is trained under this contract"
REMOVED = f"champion r-1: columns.seats: is removed, and rows that bring it are refused; {WAYS_OUT[Kind.REMOVED]}"


@pytest.fixture
def released(place):
    """A project whose champion was made under the contract as it is written now."""
    contract = contract_of(place.folder, read_config(place.folder))
    place.put("routing", item="release#r-1", release="r-1", contract=packed(contract))
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
        f"a deployment to local is refused but with --breaking; then rows that a release {FALLBACK}",
    ]


def test_a_deployment_is_refused_unless_it_is_confirmed(released, capsys):
    remove_a_column(released)
    with pytest.raises(Refused) as refused:
        refuse_breaking(released.folder, "local", confirmed=False, command="fairway up", progress=Progress())
    assert REMOVED in str(refused.value)
    assert "nothing was changed; `fairway up --breaking` deploys it all the same" in str(refused.value)
    refuse_breaking(released.folder, "local", confirmed=True, command="fairway up", progress=Progress())
    assert f"Note: {REMOVED}" in capsys.readouterr().err


def test_before_the_first_release_nothing_can_break(place):
    edit(place, CONTRACT, "nullable = true", "nullable = false")
    assert check(place)[0] == 0


def test_a_stage_that_is_not_deployed_yet_has_nothing_to_break(place):
    place.aws("ssm").delete_parameter(Name="/fairway/flights/local")
    assert check(place)[0] == 0
