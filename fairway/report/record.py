"""Data of the report's page. None means unknown, and the page says so."""

from dataclasses import dataclass
from typing import Any

from domain.contract.schema import Column
from domain.money import hosting
from domain.money.projection import Projection
from domain.money.worth import Worth
from domain.release.evaluation import Covered
from domain.release.looks import Look
from domain.request.answers import Answer
from domain.train.coverage import Coverage
from domain.train.curves import Risk
from domain.train.windows import Window
from domain.watch.verdict import WindowItem
from fairway.money.value import Value
from fairway.stage.standing import Standing


@dataclass(frozen=True)
class Champion:
    """The current champion; `reason`, `why` (this candidate, no other) and `answers` are from its judgement."""

    release: str
    since: str
    run: str | None
    candidate: str | None
    reason: str | None
    why: str | None
    answers: str | None
    is_imported: bool


@dataclass(frozen=True)
class Check:
    """One benchmark, on the newest rows and on those of the release; `agreed` and `kept` are None without a limit.

    `kept` is about the newest measurement; `newest` is None until a later run evaluated the release.
    """

    what: str
    agreed: str | None
    newest: float | None
    measured: float
    prior: float | None
    before: float | None
    kept: bool | None


@dataclass(frozen=True)
class Tried:
    """Quality of a candidate of the champion's run."""

    candidate: str
    quality: float
    standard_error: float | None


@dataclass(frozen=True)
class Before:
    """Quality of the previous champion on the rows that this one was judged on."""

    release: str
    quality: float


@dataclass(frozen=True)
class Judged:
    """The evaluation with which the champion was released, under the benchmarks agreed at that time."""

    metric: str
    smaller_is_better: bool
    rows: int
    window: Window
    coverage: Coverage | None  # None for a table without event time
    checks: list[Check]
    quality: float
    standard_error: float | None
    calibration_error: float | None
    calibration_limit: float
    agreed: float | None
    prior: float | None
    before: Before | None
    tried: list[Tried]
    sure: Covered | None  # None if its run did not measure it
    risk: Risk | None


@dataclass(frozen=True)
class Failing:
    """The answer without a model; `looked_at` stored answers were counted, None if none is stored."""

    answer: Answer
    target: str
    deadline_ms: int
    alarm_percent: float
    looked_at: int | None
    by_fallback: int | None
    rollback_to: str | None
    keep_previous_minutes: int
    segments: str | None  # column by whose values the champion's fallback answers; None if there is one prior for all


@dataclass(frozen=True)
class Release:
    release: str
    state: str | None
    candidate: str | None
    created_at: str | None
    reason: str | None


@dataclass(frozen=True)
class File:
    """A loaded file; `first` and `last` event time are None for a table without one."""

    name: str | None
    accepted: int
    quarantined: int
    first: str | None
    last: str | None
    loaded_at: str | None


@dataclass(frozen=True)
class Loads:
    accepted: int
    quarantined: int
    reasons: dict[str, int]
    newest: str | None  # event time of the newest row
    age_days: int | None  # of it
    files: list[File]


@dataclass(frozen=True)
class Batch:
    """A batch run; its counts and `adds_up` are None until it was counted."""

    run: str
    status: str
    release: str | None
    read: int | None
    scored: int | None
    quarantined: int | None
    written: int | None
    seconds: float | None
    adds_up: bool | None


@dataclass(frozen=True)
class Bill:
    """The projected month, alternatives for hosting, and the model's value."""

    projection: Projection
    budget_usd: float
    alert_percent: float
    usage: str
    requests: float
    hosting: hosting.Comparison
    value: Value | None


@dataclass(frozen=True)
class Source:
    """Columns of one source."""

    source: str
    owner: str
    columns: list[Column]


@dataclass(frozen=True)
class Evidence:
    """What one rule weighs: its e-value and the one that ends a trial, in digits, and what was counted in words."""

    rule: str
    e_value: str
    boundary: str
    counts: str


@dataclass(frozen=True)
class Trial:
    """A rollout or an experiment; `metric` and `found` are of an experiment, `found` None until something is."""

    kind: str
    release: str
    champion: str
    state: str
    is_running: bool
    share: str
    began_at: str
    since: str
    why: str
    metric: str | None
    found: str | None
    looks: list[Look]
    evidence: list[Evidence]


@dataclass(frozen=True)
class Report:
    """A stage as of `made_at`; `bill` is None if the templates could not be made, for the reason `bill_unknown`."""

    project: str
    stage: str
    made_at: str
    routing_reason: str
    champion: Champion | None
    standing: Standing | None
    judged: Judged | None
    windows: list[WindowItem]  # that were watched, the earliest first
    wrong_at_release: float | None  # share of the champion's held-out rows
    failing: Failing
    trial: Trial | None
    releases: list[Release]
    loads: Loads
    batches: list[Batch]
    bill: Bill | None
    bill_unknown: str | None
    sources: list[Source]

    @property
    def worth(self) -> Worth | None:
        return self.bill.value.worth if self.bill and self.bill.value else None

    def as_json(self) -> dict[str, Any]:
        """Return the object that --json prints, except for the file."""
        return {
            "stage": self.stage,
            "champion": self.champion.release if self.champion else None,
            "quality": self.standing.as_json() if self.standing else None,
            "releases": len(self.releases),
            "windows": [
                {"window": item["run"], "state": item["state"], "decision": item.get("decision")}
                for item in self.windows
            ],
            "monthly_usd": self.bill.projection.monthly_usd if self.bill else None,
            "worth": self.worth["sentence"] if self.worth else None,
            "unknown": self.bill_unknown,
        }
