"""Watch, last state: judge the window by what was counted, and the ones before it by the outcomes that came since.

Nothing is remembered between runs but what was counted: the evidence of a decline is added up anew from the outcomes of
each window, so a run that is repeated, or comes late, judges the same, and later outcomes change what they are about.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypedDict, cast

from domain import lake
from domain.names import Metric
from domain.records import release_key, run_key, runs_query, to_item
from domain.release.state import ReleaseItem
from domain.runs import BatchItem, LoadItem, RunKind, RunStatus, WatchPlan
from domain.timestamps import parse_timestamp
from domain.watch import happened, verdict
from domain.watch.counts import NO_RELEASE, WindowCounts
from domain.watch.estimate import Truth, estimate
from domain.watch.happened import Happened
from domain.watch.reference import Reference
from domain.watch.verdict import BY_OUTCOMES, Breaches, Finding, Kind, Outcomes, WindowItem
from domain.watch.windows import Span, before
from lambdas import metrics
from lambdas.aws import objects, tables
from lambdas.aws.routes import read_routing
from lambdas.settings import CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]
EVIDENCE = os.environ["EVIDENCE_TABLE"]
LOOKED_BACK = timedelta(days=60)  # so long outcomes may change the verdict on a window


class Judged(TypedDict):
    """What the flow returns."""

    run: str
    window: str
    state: str
    findings: list[Finding]


class Stores(Protocol):
    """What was counted, and where verdicts are kept."""

    def counts(self, window: str) -> WindowCounts | None: ...

    def windows(self) -> Sequence[WindowItem]:
        """Return every window that was judged, the earliest first."""
        ...

    def breaches(self, span: Span) -> Breaches: ...

    def happened(self, release: str) -> Sequence[Happened]: ...

    def reference(self, release: str) -> Reference | None: ...

    def has_champion(self) -> bool: ...

    def keep(self, item: WindowItem) -> None: ...

    def tell(self, found: Sequence[Finding], *, moved: int) -> None:
        """Tell what alarms and was not told before, and how many features and answers moved in the window."""
        ...


class CountsMissing(Exception):
    """The Monitor job wrote no counts.json."""


def handler(event: WatchPlan, context: object) -> Judged:
    item = judge_window(event, stores=AwsStores())
    return {"run": event["run"], "window": item["run"], "state": item["state"], "findings": item["findings"]}


def judge_window(plan: WatchPlan, *, stores: Stores) -> WindowItem:
    """Judge and keep the window, and every earlier one whose outcomes changed its verdict. Raises CountsMissing."""
    counts = stores.counts(plan["window"])
    if counts is None:
        raise CountsMissing(
            f"{lake.uri(LAKE, lake.window_key(plan['window']))} is not there; see the Monitor job's log"
        )
    known = {item["run"]: item for item in stores.windows()}
    fresh = _counted(plan, counts, [known[name] for name in sorted(known) if name < plan["window"]], stores)
    together = {**known, plan["window"]: fresh}
    judged = _by_outcomes(plan, [together[name] for name in sorted(together)], stores)
    judged = [_with_estimates(each, counts, judged, plan, stores) for each in judged]
    changed = [item for item in judged if item != known.get(item["run"])]
    news = [
        each
        for earlier, item in zip([None, *judged], judged, strict=False)
        for each in verdict.news(item["findings"], [*_findings(known.get(item["run"])), *_findings(earlier)])
    ]
    now = next(item for item in judged if item["run"] == plan["window"])
    stores.tell(news, moved=sum(each["kind"] in (Kind.FEATURE, Kind.PREDICTION) for each in now["findings"]))
    for item in changed:
        stores.keep(item)
    return now


def _findings(item: WindowItem | None) -> list[Finding]:
    return item["findings"] if item else []


def _counted(plan: WatchPlan, counts: WindowCounts, earlier: Sequence[WindowItem], stores: Stores) -> WindowItem:
    """Judge a window by what was counted in it, before any outcome."""
    span, days = _span_named(plan["window"]), CONFIG.monitoring.window_days
    last = stores.counts(before(span).name)
    breaches = stores.breaches(span)
    findings = [
        *verdict.contract_findings(span.name, breaches, CONFIG.monitoring),
        *verdict.silence_findings(
            span.name, counts["rows"], before=earlier, has_champion=stores.has_champion(), is_over=_is_over(plan)
        ),
        *verdict.drift_findings(counts, last, CONTRACT, days=days),
        *verdict.fallback_findings(counts, CONFIG.monitoring),
        *verdict.set_aside_findings(counts),
    ]
    return {
        "kind": RunKind.WINDOW,
        "run": span.name,
        "start": plan["start"],
        "end": plan["end"],
        "as_of": plan["as_of"],
        "state": verdict.state_of(counts["rows"], findings),
        "rows": counts["rows"],
        "releases": {release: verdict.answers_of(one) for release, one in counts["releases"].items()},
        "outcomes": {},
        "breaches": breaches,
        "findings": verdict.carried_on(findings, earlier[-1] if earlier else None),
    }


def _by_outcomes(plan: WatchPlan, items: Sequence[WindowItem], stores: Stores) -> list[WindowItem]:
    """Judge each window that outcomes may still change by those that have come, and leave the others as they are."""
    since = _parsed(plan["start"]) - LOOKED_BACK
    recent = [item for item in items if _parsed(item["start"]) >= since]
    releases = sorted({release for item in recent for release in item["releases"] if release != NO_RELEASE})
    known = {release: _outcomes_of(release, plan, stores) for release in releases}
    judged: list[WindowItem] = []
    for item in items:
        judged.append(_with_outcomes(item, known, judged, plan) if item in recent else item)
    return judged


@dataclass(frozen=True)
class _Release:
    """What outcomes say of a release, by window."""

    outcomes: dict[str, Outcomes]
    declines: list[Finding]


def _outcomes_of(release: str, plan: WatchPlan, stores: Stores) -> _Release:
    windows = stores.happened(release)
    closed = [each.window for each in windows if _is_closed(each.window, plan)]
    outcomes, declines = verdict.outcomes_of(
        CONFIG.project.task,
        windows,
        stores.reference(release),
        days=CONFIG.monitoring.window_days,
        closed=closed,
    )
    return _Release(outcomes, [{**each, "release": release} for each in declines])


def _with_outcomes(
    item: WindowItem, known: dict[str, _Release], earlier: Sequence[WindowItem], plan: WatchPlan
) -> WindowItem:
    window = item["run"]
    outcomes = {name: one.outcomes[window] for name, one in known.items() if window in one.outcomes}
    declines = [each for one in known.values() for each in one.declines if each["window"] == window]
    item = {**item, "outcomes": outcomes}
    silence = verdict.no_outcomes_findings(item, earlier, is_closed=_is_closed(window, plan))
    rest = [each for each in item["findings"] if Kind(each["kind"]) not in BY_OUTCOMES]
    findings = [*declines, *silence, *rest]
    return {**item, "findings": findings, "state": verdict.state_of(item["rows"], findings)}


def _with_estimates(
    item: WindowItem, counts: WindowCounts, judged: Sequence[WindowItem], plan: WatchPlan, stores: Stores
) -> WindowItem:
    """Estimate the quality in the window that is judged, by what outcomes said of the windows before it."""
    if item["run"] != plan["window"]:
        return item
    found = {}
    for release, counted in counts["releases"].items():
        if "scores" not in counted or release == NO_RELEASE:
            continue
        known = [
            each for each in stores.happened(release) if each.window < item["run"] and _is_closed(each.window, plan)
        ]
        last = _last_truth(release, [each for each in judged if each["run"] < item["run"]])
        found[release] = estimate(counted, known, business=CONFIG.business, last=last)
    estimates = {release: one for release, one in found.items() if one is not None}
    return {**item, "estimates": estimates} if estimates else item


def _last_truth(release: str, earlier: Sequence[WindowItem]) -> Truth | None:
    """Return the newest estimate of which outcomes have told the truth; None without any."""
    for item in reversed(earlier):
        estimated, known = item.get("estimates", {}).get(release), item["outcomes"].get(release)
        if estimated and "accuracy" in estimated and known and known["outcomes"] and not known["is_open"]:
            return Truth(estimated, known["wrong"], known["outcomes"])
    return None


def _is_closed(window: str, plan: WatchPlan) -> bool:
    """Whether nearly all outcomes of a window have come, going by `as_of`."""
    ends = _span_named(window).end + timedelta(days=CONFIG.monitoring.outcome_days)
    return ends <= _parsed(plan["as_of"])


def _is_over(plan: WatchPlan) -> bool:
    return _parsed(plan["end"]) <= _parsed(plan["as_of"])


def _span_named(window: str) -> Span:
    start = _parsed(window)
    return Span(start, start + timedelta(days=CONFIG.monitoring.window_days))


def _parsed(text: str) -> datetime:
    found = parse_timestamp(text)
    assert found is not None, "choose_window wrote it"
    return found


# ---- effects


class AwsStores:
    """The lake and the tables of the stage."""

    def counts(self, window: str) -> WindowCounts | None:
        return cast(WindowCounts | None, objects.read_json(LAKE, lake.window_key(window)))

    def windows(self) -> Sequence[WindowItem]:
        return cast(list[WindowItem], list(tables.query_all(RUNS, **runs_query(RunKind.WINDOW), ConsistentRead=True)))

    def breaches(self, span: Span) -> Breaches:
        loads = cast(Iterator[LoadItem], tables.query_all(RUNS, **runs_query(RunKind.LOAD)))
        batches = cast(Iterator[BatchItem], tables.query_all(RUNS, **runs_query(RunKind.BATCH)))
        within = [(load["accepted"] + load["quarantined"], load) for load in loads if _within(span, load["loaded_at"])]
        scored = [
            (batch["read"], batch)
            for batch in batches
            if batch["status"] == RunStatus.SUCCEEDED and _within(span, batch["finished_at"])
        ]
        return _sum([*within, *scored])

    def happened(self, release: str) -> Sequence[Happened]:
        key = happened.of_release(release)
        items = tables.query_all(
            EVIDENCE,
            KeyConditionExpression="#rollout = :rollout",
            ExpressionAttributeNames={"#rollout": "rollout"},
            ExpressionAttributeValues=to_item({":rollout": key["rollout"]}),
            ConsistentRead=True,
        )
        return happened.windows_of(items)

    def reference(self, release: str) -> Reference | None:
        item = cast(ReleaseItem | None, tables.get(ROUTING, release_key(release)))
        if item is None or "run" not in item or "candidate" not in item:
            return None
        return cast(Reference | None, objects.read_json(LAKE, lake.reference_key(item["run"], item["candidate"])))

    def has_champion(self) -> bool:
        return read_routing(ROUTING)["champion"] is not None

    def keep(self, item: WindowItem) -> None:
        values = {name: value for name, value in item.items() if name not in ("kind", "run", "decision")}
        tables.update(RUNS, run_key(RunKind.WINDOW, item["run"]), values)

    def tell(self, found: Sequence[Finding], *, moved: int) -> None:
        counted: dict[str, float] = {Metric.WATCH_ALARMS: len(found), Metric.MOVED: moved}
        texts = [each["text"] for each in found]
        print(metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counted, found=texts))


def _within(span: Span, text: str) -> bool:
    moment = parse_timestamp(text)
    return moment is not None and span.start <= moment < span.end


def _sum(came_in: Sequence[tuple[int, Any]]) -> Breaches:
    reasons: dict[str, int] = {}
    for _, run in came_in:
        for rule, times in run.get("reasons", {}).items():
            reasons[rule] = reasons.get(rule, 0) + times
    return {
        "rows": sum(rows for rows, _ in came_in),
        "quarantined": sum(run["quarantined"] for _, run in came_in),
        "reasons": reasons,
    }
