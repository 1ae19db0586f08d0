"""The windows of one policy: counted and judged as the watch flow does, when they have ended and when they close."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.runs import RunKind
from domain.timestamps import iso
from domain.watch import verdict
from domain.watch.backtest import Alarm
from domain.watch.counts import WindowCounts
from domain.watch.happened import Happened
from domain.watch.reference import Reference
from domain.watch.verdict import BY_OUTCOMES, Finding, Kind, WindowItem
from domain.watch.windows import Span, before, span_of
from model_code.backtest.history import DAY, midnight
from model_code.watch.answers import Tallies, Yardstick, add_all, counts_of
from model_code.watch.outcomes import Sums, add_sums


class Watch:
    """What was answered in each window, and the verdicts."""

    def __init__(self, contract: Contract, config: Config) -> None:
        self._contract, self._config = contract, config
        self._days = config.monitoring.window_days
        self._tallies: dict[str, Tallies] = {}  # by window, of those that have not ended
        self._counts: WindowCounts | None = None  # of the newest that has ended
        self._happened: dict[str, dict[str, Sums]] = {}  # by release and window
        self._known: dict[str, Reference] = {}
        self._yardsticks: dict[str, Yardstick] = {}
        self.items: list[WindowItem] = []

    def know(self, release: str, reference: Reference, yardstick: Yardstick) -> None:
        """Take what a release's answers are compared with."""
        self._known[release], self._yardsticks[release] = reference, yardstick

    def add(self, day: date, captured: Tallies, outcomes: Mapping[str, Sums]) -> None:
        """Add a day's answers, and what will have become of them once their window is closed."""
        window = span_of(midnight(day), self._days).name
        add_all(self._tallies.setdefault(window, {}), captured)
        for release, sums in outcomes.items():
            add_sums(self._happened.setdefault(release, {}).setdefault(window, {}), sums)

    def look(self, now: date, *, has_champion: bool) -> list[Alarm]:
        """Judge at the beginning of a day the windows that have just ended or closed; return what alarms and is new."""
        ended = span_of(midnight(now - DAY), self._days)
        known = {item["run"]: item["findings"] for item in self.items}
        if ended.end == midnight(now):
            self.items.append(self._counted(ended, now, has_champion=has_champion))
        for place, item in enumerate(self.items):
            if self._closes(item) == now:
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

    def _closes(self, item: WindowItem) -> date:
        start = date.fromisoformat(item["run"])
        return start + timedelta(days=self._days + self._config.monitoring.outcome_days)

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
        findings = [
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
            "breaches": {"rows": rows, "quarantined": 0, "reasons": {}},
            "findings": verdict.carried_on(findings, self.items[-1] if self.items else None),
        }

    def _closed(self, item: WindowItem, earlier: list[WindowItem], now: date) -> WindowItem:
        """Judge a window by its outcomes, all of which have come."""
        window = item["run"]
        declines: list[Finding] = []
        for release in [name for name in item["releases"] if window in self._happened.get(name, {})]:
            sums = self._happened[release]
            windows = [Happened(name, sums[name]) for name in sorted(sums) if name <= window]
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
