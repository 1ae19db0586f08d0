"""Read the release that answers now; `fairway cost` takes its speed, size and decisions from it."""

from dataclasses import dataclass
from pathlib import Path

from domain.config.sections import LOCAL
from domain.release.state import ReleaseItem
from domain.watch.observed import Observed, observe
from fairway.stage.aws import Stage, connect
from fairway.stage.outcomes import joined_outcomes
from fairway.stage.records import release, routing
from fairway.terminal.errors import Refused


@dataclass(frozen=True)
class Champion:
    """Its item, and what outcomes say of it."""

    item: ReleaseItem
    observed: Observed


def champion_of(stage: Stage) -> Champion | None:
    """Read the champion; None before the first release."""
    current = routing(stage)["champion"]
    item = release(stage, current["release"]) if current else None
    if item is None:
        return None
    config = stage.config
    observed = observe(config.project.task, config.benchmarks.metric, joined_outcomes(stage, item["release"]))
    return Champion(item, observed)


def champion_here(folder: Path, stage: str) -> Champion | None:
    """Read that of the local stage, where it runs. An account is asked only where somebody asks for it (--measured)."""
    if stage != LOCAL:
        return None
    try:
        return champion_of(connect(folder, stage))
    except Refused:  # not running, nothing deployed: a projection needs neither
        return None
