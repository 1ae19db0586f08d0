"""Quality of the champion: measured at its release, on newer rows since, and by outcomes."""

from dataclasses import asdict, dataclass
from typing import Any

from domain.config.sections import Benchmarks, Config
from domain.release.state import Measurement, ReleaseItem
from domain.watch.observed import Observed, breaks, observe
from fairway.stage.aws import Stage
from fairway.stage.outcomes import joined_outcomes


@dataclass(frozen=True)
class Standing:
    """Quality of a release by the deciding metric. `newest` is None until a later run evaluated it."""

    release: str
    metric: str
    at_release: float | None
    newest: Measurement | None
    observed: Observed
    broken: list[str]  # benchmarks, in words, that the newest measurement or the outcomes break

    @property
    def quality(self) -> float | None:
        """Return the newest measured quality."""
        return self.newest["metrics"].get(self.metric) if self.newest else self.at_release

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "quality": self.quality}

    def lines(self) -> list[str]:
        """Describe each figure."""
        return [*_since(self), f"what happened: {by_outcomes(self.observed)}"]

    def alarms(self) -> list[str]:
        return [f"{self.release} breaks what was agreed: {'; '.join(self.broken)}"] if self.broken else []


def standing(stage: Stage, item: ReleaseItem) -> Standing:
    """Read the quality of the release in an item of the routing table."""
    return stand(stage.config, item, joined_outcomes(stage, item["release"]))


def stand(config: Config, item: ReleaseItem, outcomes: list[dict[str, Any]]) -> Standing:
    benchmarks = config.benchmarks
    newest = item.get("newest")
    observed = observe(config.project.task, benchmarks.metric, outcomes)
    return Standing(
        release=item["release"],
        metric=benchmarks.metric,
        at_release=(item.get("metrics") or {}).get(benchmarks.metric),
        newest=newest,
        observed=observed,
        broken=_broken(benchmarks, newest, observed),
    )


def _broken(benchmarks: Benchmarks, newest: Measurement | None, observed: Observed) -> list[str]:
    by_outcomes = breaks(benchmarks, observed)
    return [*(newest["broken"] if newest else []), *([by_outcomes] if by_outcomes else [])]


def _since(standing: Standing) -> list[str]:
    newest, metric = standing.newest, standing.metric
    at_release = "not known" if standing.at_release is None else f"{standing.at_release:.4f}"
    if not newest or standing.quality is None:
        return [f"measured: {metric} {at_release} at release, not on newer rows since"]
    rows = f"{newest['rows']:,} rows of {newest['evaluate_start'][:10]} to {newest['as_of'][:10]}"
    return [f"measured: {metric} {standing.quality:.4f} on {rows}; {at_release} at release"]


def by_outcomes(observed: Observed) -> str:
    """Describe quality by outcomes, or say that there are too few."""
    if not observed.is_enough:
        return f"not enough outcomes ({observed.outcomes:,})"
    if observed.quality is None:
        return f"{observed.metric} unknown for {observed.outcomes:,} joined outcomes"
    error = f" (standard error {observed.standard_error:.4f})" if observed.standard_error else ""
    return f"{observed.metric} {observed.quality:.4f}{error} of {observed.outcomes:,} joined outcomes"
