"""The windows of one policy: counted and judged as the watch flow does, when they have ended and when they close."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.runs import RunKind
from domain.timestamps import iso
from domain.watch import verdict
from domain.watch.backtest import Alarm
from domain.watch.counts import WindowCounts
from domain.watch.happened import Happened
from domain.watch.reference import Reference
from domain.watch.verdict import BY_OUTCOMES, Breaches, Finding, Kind, WindowItem
from domain.watch.windows import Span, before, span_of
from model_code.backtest.history import DAY, midnight
from model_code.watch.answers import Tallies, Yardstick, add_all, counts_of
from model_code.watch.outcomes import Sums, add_sums

_NOTHING: Breaches = {"rows": 0, "quarantined": 0, "reasons": {}}


class _Come(NamedTuple):
    """Outcomes, and the day at whose beginning they have come."""

    known: date
    sums: Sums


class Watch:
    """What was answered in each window, and the verdicts."""

    def __init__(self, contract: Contract, config: Config) -> None:
        self._contract, self._config = contract, config
        self._days = config.monitoring.window_days
        self._tallies: dict[str, Tallies] = {}  # by window, of those that have not ended
        self._counts: WindowCounts | None = None  # of the newest that has ended
        self._happened: dict[str, dict[str, list[_Come]]] = {}  # by release and window
        self._came_in: dict[str, Breaches] = {}  # by window
        self._known: dict[str, Reference] = {}
        self._yardsticks: dict[str, Yardstick] = {}
        self.items: list[WindowItem] = []

    def know(self, release: str, reference: Reference, yardstick: Yardstick) -> None:
        """Take what a release's answers are compared with."""
        self._known[release], self._yardsticks[release] = reference, yardstick

    def add(self, day: date, captured: Tallies, outcomes: Mapping[str, Sums], *, known: date) -> None:
        """Add a day's answers, and what will have become of them by the beginning of the day `known`."""
        window = span_of(midnight(day), self._days).name
        add_all(self._tallies.setdefault(window, {}), captured)
        for release, sums in outcomes.items():
            self._happened.setdefault(release, {}).setdefault(window, []).append(_Come(known, sums))

    def come_in(self, day: date, rows: int, reasons: Mapping[str, int], *, quarantined: int) -> None:
        """Add the rows that came in on a day, and those that broke the contract."""
        window = span_of(midnight(day), self._days).name
        before = self._came_in.get(window, _NOTHING)
        added = Counter(before["reasons"]) + Counter(reasons)
        self._came_in[window] = {
            "rows": before["rows"] + rows,
            "quarantined": before["quarantined"] + quarantined,
            "reasons": dict(sorted(added.items())),
        }

    def look(self, now: date, *, has_champion: bool) -> list[Alarm]:
        """Judge at the beginning of a day the windows that have just ended or closed; return what alarms and is new."""
        ended = span_of(midnight(now - DAY), self._days)
        known = {item["run"]: item["findings"] for item in self.items}
        if ended.end == midnight(now):
            self.items.append(self._counted(ended, now, has_champion=has_champion))
        for place, item in enumerate(self.items):
            if now in self._changes(item):
                self.items[place] = self._closed(item, self.items[:place], now)
        return list(self._news(known, now))

    def has_ended(self, now: date) -> bool:
        """Whether a window has ended at the beginning of this day, and was judged."""
        return bool(self.items) and self.items[-1]["end"] == iso(midnight(now))

    def _news(self, known: Mapping[str, list[Finding]], now: date) -> Iterable[Alarm]:
        earlier: list[Finding] = []
        for item in self.items:
            if item["findings"] != known.get(item["run"]):
                for each in verdict.news(item["findings"], [*known.get(item["run"], ()), *earlier]):
                    yield {
                        "told": now.isoformat(),
                        "window": item["run"],
                        "kind": each["kind"],
                        "text": each["text"],
                    }
            earlier = item["findings"]

    def _changes(self, item: WindowItem) -> set[date]:
        """Return the days on which a window closes, and on which outcomes come that are later than that."""
        start, window = date.fromisoformat(item["run"]), item["run"]
        closes = start + timedelta(days=self._days + self._config.monitoring.outcome_days)
        late = (come.known for windows in self._happened.values() for come in windows.get(window, ()))
        return {closes, *(known for known in late if known > closes)}

    def _counted(self, span: Span, now: date, *, has_champion: bool) -> WindowItem:
        """Judge a window by what was counted in it, before any outcome."""
        tallies = self._tallies.pop(span.name, {})
        rows = sum(tally.rows for tally in tallies.values())
        counts: WindowCounts = {
            "window": span.name,
            "start": iso(span.start),
            "end": iso(span.end),
            "as_of": iso(midnight(now)),
            "rows": rows,
            "unparsed": sum(tally.unparsed for tally in tallies.values()),
            "set_aside": [],
            "releases": {name: counts_of(tally, self._yardsticks.get(name)) for name, tally in sorted(tallies.items())},
        }
        last = self._counts if self._counts and self._counts["window"] == before(span).name else None
        breaches = self._came_in.pop(span.name, _NOTHING)
        findings = [
            *verdict.contract_findings(span.name, breaches, self._config.monitoring),
            *verdict.silence_findings(span.name, rows, before=self.items, has_champion=has_champion, is_over=True),
            *verdict.drift_findings(counts, last, self._contract, days=self._days),
            *verdict.fallback_findings(counts, self._config.monitoring),
        ]
        self._counts = counts
        return {
            "kind": RunKind.WINDOW,
            "run": span.name,
            "start": counts["start"],
            "end": counts["end"],
            "as_of": counts["as_of"],
            "state": verdict.state_of(rows, findings),
            "rows": rows,
            "releases": {name: verdict.answers_of(one) for name, one in counts["releases"].items()},
            "outcomes": {},
            "breaches": breaches,
            "findings": verdict.carried_on(findings, self.items[-1] if self.items else None),
        }

    def _closed(self, item: WindowItem, earlier: list[WindowItem], now: date) -> WindowItem:
        """Judge a window by the outcomes that have come."""
        window = item["run"]
        declines: list[Finding] = []
        for release in item["releases"]:
            windows = self._come(release, window, now)
            if not windows or windows[-1].window != window:
                continue
            known, found = verdict.outcomes_of(
                self._contract.task,
                windows,
                self._known.get(release),
                days=self._days,
                closed=[each.window for each in windows],
            )
            item = {**item, "outcomes": {**item["outcomes"], release: known[window]}}
            declines += [{**each, "release": release} for each in found if each["window"] == window]
        silence = verdict.no_outcomes_findings(item, earlier, is_closed=True)
        rest = [each for each in item["findings"] if Kind(each["kind"]) not in BY_OUTCOMES]
        findings = [*declines, *silence, *rest]
        state = verdict.state_of(item["rows"], findings)
        return {**item, "as_of": iso(midnight(now)), "findings": findings, "state": state}

    def _come(self, release: str, last: str, now: date) -> list[Happened]:
        """Return what is known of a release's windows up to one, the earliest first."""
        found: dict[str, Sums] = {}
        for window, comes in self._happened.get(release, {}).items():
            for come in comes:
                if window <= last and come.known <= now:
                    add_sums(found.setdefault(window, {}), come.sums)
        return [Happened(window, found[window]) for window in sorted(found)]
