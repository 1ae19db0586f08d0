"""The release that answers now, for `fairway cost`: how fast and how large it is, how often it is right."""

from pathlib import Path

from domain.config.sections import LOCAL
from domain.release.routing import champion
from fairway.stage.aws import Stage, connect
from fairway.stage.records import release, routing
from fairway.terminal.errors import Refused


def champion_of(stage: Stage) -> dict | None:
    """Its item; None before the first release."""
    current = champion(routing(stage))
    return release(stage, current["release"]) if current else None


def champion_here(folder: Path, stage: str) -> dict | None:
    """That of the local stage, where it runs. An account is asked only by who says so (`--measured`)."""
    if stage != LOCAL:
        return None
    try:
        return champion_of(connect(folder, stage))
    except Refused:  # not running, nothing deployed: a projection needs neither
        return None
