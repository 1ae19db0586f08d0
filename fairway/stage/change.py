"""Compare a contract with those of releases: what a deployment, or another release, would break, before anything
changes.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.config.sections import ConfigError
from domain.contract.change import Change, changes, unanswered
from domain.contract.packed import unpacked
from domain.contract.schema import Contract
from domain.fingerprints import CONTRACT
from domain.release.routing import answerers
from domain.release.state import ReleaseItem
from fairway.stage import records
from fairway.stage.aws import Stage, connect
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress


class Effect(NamedTuple):
    """A change of the contract, and the release it affects."""

    release: str
    role: str
    change: Change

    @property
    def sentence(self) -> str:
        return f"{self.role} {self.release}: {self.change.message}"


def effects_on(folder: Path, stage_name: str) -> list[Effect]:
    """List what the project's contract changes for the releases that answer; empty if none is deployed."""
    try:
        stage = connect(folder, stage_name)
    except Refused as error:
        if error.error != "not_deployed":
            raise
        return []
    return _effects(stage)


def as_records(effects: list[Effect]) -> list[dict[str, str]]:
    """Return the effects as `--json` prints them."""
    return [
        {"release": release, "role": role, "column": change.column, "kind": change.kind, "message": change.message}
        for release, role, change in effects
    ]


def refuse_breaking(folder: Path, stage_name: str, *, confirmed: bool, command: str, progress: Progress) -> None:
    """Report what a deployment changes for the releases that answer. Refused if one breaks, unless `confirmed`.

    Nothing was changed then. `command` is the deployment's, as typed.
    """
    effects = effects_on(folder, stage_name)
    for effect in effects:
        if confirmed or not effect.change.breaks:
            progress(f"Note: {effect.sentence}")
    if not confirmed:
        refuse(effects, f"nothing was changed; `{command} --breaking` deploys it nevertheless, and rows that a release")


def refuse(effects: list[Effect], otherwise: str) -> None:
    """Refuse changes that break a release; `otherwise` begins the sentence about continuing nevertheless."""
    breaking = [effect.sentence for effect in effects if effect.change.breaks]
    if breaking:
        fallback = f"{otherwise} cannot answer get the fallback until one is trained under this contract"
        raise Refused("breaking", "\n".join(["the contract breaks a release that answers:", *breaking, fallback]))


def refuse_unanswered(stage: Stage, item: ReleaseItem, *, confirmed: bool, command: str, progress: Progress) -> None:
    """Refuse a release that cannot answer under the deployed contract, unless `confirmed`.

    `command` is the one that lets it answer, as typed.
    """
    packed, contract = item.get("contract"), _deployed_contract(stage)
    if contract is None:
        progress("Note: the deployed contract is neither the project's nor a release's, so it is not compared")
    if not packed or contract is None:
        return
    broken = [f"{item['release']}: {change.message}" for change in unanswered(unpacked(packed), contract)]
    if broken and not confirmed:
        fallback = f"nothing was changed; `{command} --breaking` lets it answer nevertheless, and rows that it cannot"
        raise Refused(
            "breaking",
            "\n".join(["the deployed contract breaks that release:", *broken, f"{fallback} answer get the fallback"]),
        )
    for sentence in broken:
        progress(f"Note: {sentence}")


def _deployed_contract(stage: Stage) -> Contract | None:
    """Return the contract that requests are checked against: the project's, or a release's if the file was edited
    since.

    None if it is neither: the address book has only its fingerprint.
    """
    deployed = stage.addresses.get("settings", {}).get(CONTRACT)
    return next((contract for contract in _known_contracts(stage) if contract.hash[:8] == deployed), None)


def _known_contracts(stage: Stage) -> Iterator[Contract]:
    with suppress(ConfigError):  # a rollback must work without a readable file
        yield stage.contract
    yield from (unpacked(item["contract"]) for item in records.releases(stage) if item.get("contract"))


def _effects(stage: Stage) -> list[Effect]:
    found = []
    for one in answerers(records.routing(stage)):
        packed = (records.release(stage, one.release) or {}).get("contract")
        if packed:
            found += [Effect(one.release, one.role, change) for change in changes(unpacked(packed), stage.contract)]
    return found
