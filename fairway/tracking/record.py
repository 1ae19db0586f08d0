"""Training runs as they are listed, compared and exported. None means unknown, or not yet known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from domain.release.state import Measurement
from domain.timestamps import parse_timestamp
from domain.train.curves import Curve
from domain.watch.observed import Observed


@dataclass(frozen=True)
class Job:
    """A SageMaker job of a run: billed seconds, and their list price in US dollars."""

    name: str
    kind: str  # training or evaluation
    instance: str
    seconds: float
    usd: float | None


@dataclass(frozen=True)
class Tried:
    """A model on the evaluation rows of a run; `broken` describes each benchmark that it breaks."""

    name: str  # of the candidate, or of the release that was champion
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    standard_error: float | None  # by the deciding metric
    p99_ms: float
    size_mb: float
    artefact_sha256: str
    broken: list[str]
    curve: Curve | None


@dataclass(frozen=True)
class Became:
    """The release of a run in production."""

    release: str
    state: str | None
    role: str | None  # None if it answers nothing
    percent: float  # percent of the entities
    promoted_at: str | None
    newest: Measurement | None
    observed: Observed | None  # None if outcomes were not read

    @property
    def in_words(self) -> str:
        return f"{self.role} now" if self.role else self.state or "not known"


@dataclass(frozen=True)
class TrainingRun:
    """A training run. `chosen` is the candidate of its release, or the best of the rejected ones."""

    run: str
    status: str
    started_at: str | None
    finished_at: str | None
    train_start: str | None
    evaluate_start: str | None
    as_of: str | None
    train_rows: int | None
    evaluate_rows: int | None
    data_hash: str | None
    contract_hash: str | None
    code_version: str | None
    seed: int | None
    verdict: str | None
    reason: str | None
    metric: str | None
    chosen: str | None
    candidates: list[Tried]
    champion: Tried | None  # at the time, on the same rows
    baseline: Mapping[str, float]  # of the prior
    jobs: list[Job]
    became: Became | None

    @property
    def seconds(self) -> float | None:
        """Return the seconds from its first state to its last."""
        ends = _moment(self.started_at), _moment(self.finished_at)
        return (ends[1] - ends[0]).total_seconds() if ends[0] and ends[1] else None

    @property
    def usd(self) -> float | None:
        """Return the list price of its jobs; None if a price is missing, or no job is known."""
        prices = [job.usd for job in self.jobs]
        known = [price for price in prices if price is not None]
        return sum(known) if known and len(known) == len(prices) else None

    @property
    def judged(self) -> Tried | None:
        """Return the chosen candidate."""
        return next((each for each in self.candidates if each.name == self.chosen), None)

    @property
    def quality(self) -> float | None:
        """Return the deciding metric of the chosen candidate."""
        return self.judged.metrics.get(self.metric or "") if self.judged else None

    def as_json(self, *, curves: bool = False) -> dict[str, Any]:
        """Return the object that --json prints."""
        values = {**asdict(self), "seconds": self.seconds, "usd": self.usd, "quality": self.quality}
        models = [*values["candidates"], *([values["champion"]] if values["champion"] else [])]
        for model in models:
            if not curves:
                del model["curve"]
        return values


def _moment(timestamp: str | None) -> datetime | None:
    return parse_timestamp(timestamp) if timestamp else None
