"""The project's contract beside those of the releases that answer: what a deployment would break, told before it."""

from pathlib import Path
from typing import NamedTuple

from domain.contract.change import Change, changes
from domain.contract.packed import unpacked
from domain.release.routing import answerers
from fairway.stage import records
from fairway.stage.aws import Stage, connect
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress


class Effect(NamedTuple):
    """A change of the contract, and the release that it means something for."""

    release: str
    role: str
    change: Change

    @property
    def sentence(self) -> str:
        return f"{self.role} {self.release}: {self.change.message}"


def effects_on(folder: Path, stage_name: str) -> list[Effect]:
    """List what the project's contract changes for the releases that answer; nothing where none is deployed."""
    try:
        stage = connect(folder, stage_name)
    except Refused as error:
        if error.error != "not_deployed":
            raise
        return []
    return _effects(stage)


def refuse_breaking(folder: Path, stage_name: str, *, confirmed: bool, command: str, progress: Progress) -> None:
    """Report what a deployment changes for the releases that answer. Refused for one that breaks any, unless that is
    `confirmed`; nothing was changed then. `command` is the deployment's, as it is typed.
    """
    effects = effects_on(folder, stage_name)
    for effect in effects:
        if confirmed or not effect.change.breaks:
            progress(f"Note: {effect.sentence}")
    if not confirmed:
        refuse(effects, f"nothing was changed; `{command} --breaking` deploys it all the same, and rows that a release")


def refuse(effects: list[Effect], otherwise: str) -> None:
    """Refused for changes that break a release; `otherwise` begins the sentence about going on regardless."""
    breaking = [effect.sentence for effect in effects if effect.change.breaks]
    if breaking:
        fallback = f"{otherwise} cannot answer get the fallback until one is trained under this contract"
        raise Refused("breaking", "\n".join(["the contract breaks a release that answers:", *breaking, fallback]))


def _effects(stage: Stage) -> list[Effect]:
    found = []
    for one in answerers(records.routing(stage)):
        packed = (records.release(stage, one.release) or {}).get("contract")
        if packed:
            found += [Effect(one.release, one.role, change) for change in changes(unpacked(packed), stage.contract)]
    return found
