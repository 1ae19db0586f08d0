"""Read the champion; `fairway cost` uses its speed, size and decisions."""

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
    """The champion's item and outcomes."""

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
    """Read the champion of the local stage, if it runs. Accounts are contacted only on request (--measured)."""
    if stage != LOCAL:
        return None
    try:
        return champion_of(connect(folder, stage))
    except Refused:  # not running or nothing deployed: a projection needs neither
        return None
