"""The verdict on a window: what moved, what was lost, what broke, each finding in words, and which of them alarm."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import NotRequired, TypedDict

from domain.config.sections import Monitoring
from domain.contract.schema import Contract
from domain.reasons import MEANT, Reason
from domain.watch import decline, drift, happened
from domain.watch.counts import ColumnCounts, ReleaseCounts, WindowCounts
from domain.watch.decision import Decided
from domain.watch.drift import Counts
from domain.watch.estimate import Estimated
from domain.watch.happened import Happened
from domain.watch.reference import Reference
from domain.watch.windows import windows_a_year

LEAST_ROWS = 20  # answers: a share of fewer says nothing
LEAST_CAME_IN = 100  # rows that a share of broken ones is of
_NOBODYS_FAULT = {*(reason.name for reason in MEANT), Reason.NO_RELEASE.name}


class State(StrEnum):
    """State of a window, the worst that was found."""

    OK = "ok"
    DRIFTED = "drifted"
    DECLINED = "declined"
    BROKEN = "broken"
    NO_DATA = "no data"  # is no good news


class Kind(StrEnum):
    """What a finding is about."""

    FEATURE = "feature"
    PREDICTION = "prediction"
    DECLINE = "decline"
    CONTRACT = "contract"
    FALLBACK = "fallback"
    SET_ASIDE = "set aside"
    SILENCE = "silence"
    NO_OUTCOMES = "no outcomes"


BY_OUTCOMES = frozenset((Kind.DECLINE, Kind.NO_OUTCOMES))  # they change as long as outcomes come
ALARMS = frozenset((Kind.DECLINE, Kind.CONTRACT, Kind.SILENCE, Kind.NO_OUTCOMES))  # the others order a look
_STATES = {
    Kind.FEATURE: State.DRIFTED,
    Kind.PREDICTION: State.DRIFTED,
    Kind.DECLINE: State.DECLINED,
    Kind.CONTRACT: State.BROKEN,
}
_WORST = (State.BROKEN, State.DECLINED, State.DRIFTED)


class Finding(TypedDict):
    """One thing that is not as it was; `since` names the first window of those in a row that found it."""

    kind: str  # a Kind
    text: str
    window: str
    since: str
    release: NotRequired[str]
    column: NotRequired[str]
    source: NotRequired[str]  # of the column, by the contract
    owner: NotRequired[str]
    psi: NotRequired[float]
    p_value: NotRequired[float]


class Answers(TypedDict):
    """A release in a window."""

    rows: int
    fallbacks: dict[str, int]  # by cause
    p50_ms: NotRequired[float]
    p99_ms: NotRequired[float]
    is_compared: bool  # with a reference


class Outcomes(TypedDict):
    """What is known by now of a release's answers in a window, by outcomes."""

    outcomes: int
    wrong: int
    decisions: NotRequired[dict[str, int]]  # right and wrong ones, by CELLS (domain/money/worth.py)
    metrics: dict[str, float]
    value_usd: NotRequired[float]  # a row
    predicted: NotRequired[float]  # mean probability, and the share that came true
    happened: NotRequired[float]
    held: NotRequired[float]  # share that lay in the set or interval of its answer
    log_evidence: NotRequired[float]  # that the release is worse than at its release; once nearly all are known
    is_open: bool  # more are to come


class Breaches(TypedDict):
    """Rows that were loaded or scored as batches in a window, and those that broke the contract, by rule."""

    rows: int
    quarantined: int
    reasons: dict[str, int]


class WindowItem(TypedDict):
    """A window in the runs table (kind `window`, run: its name)."""

    kind: str
    run: str
    start: str
    end: str
    as_of: str  # of the newest look
    state: str  # a State
    rows: int
    releases: dict[str, Answers]
    outcomes: dict[str, Outcomes]  # by release
    estimates: NotRequired[dict[str, Estimated]]  # before outcomes came, by release
    breaches: Breaches
    findings: list[Finding]
    decision: NotRequired[Decided]  # what followed from it


# ---- what the captured answers say


def drift_findings(
    counts: WindowCounts, before: WindowCounts | None, contract: Contract, *, days: int
) -> list[Finding]:
    """Name what moved, at one chance in twenty for all features, releases and windows of a year together."""
    compared = [name for name, one in counts["releases"].items() if one["features"] or "prediction" in one]
    found: list[Finding] = []
    for release in compared:
        earlier = before["releases"].get(release) if before else None
        level = drift.level(windows=windows_a_year(days)) / len(compared)
        found += _moved(release, counts, earlier, contract, level)
    return found


def _moved(
    release: str, counts: WindowCounts, earlier: ReleaseCounts | None, contract: Contract, level: float
) -> list[Finding]:
    columns, past = _columns(counts["releases"][release]), _columns(earlier)
    p_values = {name: _p_value(column, past.get(name)) for name, column in columns.items()}
    return [
        _drift(release, name, columns[name], p_values[name], contract, counts["window"])
        for name in drift.drifted(p_values, level)
    ]


def _columns(release: ReleaseCounts | None) -> dict[tuple[Kind, str], ColumnCounts]:
    if release is None:
        return {}
    columns = {(Kind.FEATURE, name): column for name, column in release["features"].items()}
    return columns | ({(Kind.PREDICTION, ""): release["prediction"]} if "prediction" in release else {})


def _p_value(column: ColumnCounts, past: ColumnCounts | None) -> float:
    windows = [past["window"]] if past and past["labels"] == column["labels"] else []
    return drift.latest(column["reference"], [*windows, column["window"]], ordered=column["ordered"])


def _drift(
    release: str, name: tuple[Kind, str], counted: ColumnCounts, p_value: float, contract: Contract, window: str
) -> Finding:
    kind, column = name
    counts = Counts(counted["reference"], counted["window"])
    moved = drift.move(counted["labels"], counts)
    what = column if kind is Kind.FEATURE else f"the answers of {release}"
    shares = f"{_percent(moved.before)} of rows at release, {_percent(moved.after)} now"
    finding: Finding = {
        "kind": kind,
        "text": f"{what}: {_value(moved.label)} {shares}",
        "window": window,
        "since": window,
        "release": release,
        "psi": round(drift.psi(counts), 6),
        "p_value": p_value,
    }
    if kind is Kind.FEATURE and column in contract.by_name:
        known = contract.by_name[column]
        finding |= {"column": column, "source": known.source, "owner": known.owner}
    return finding


def _value(label: str) -> str:
    return {"unseen": "values that were not there before:", "missing": "no value:", "others": "rare values:"}.get(
        label, f"{label}:"
    )


def answers_of(release: ReleaseCounts) -> Answers:
    answers: Answers = {
        "rows": release["rows"],
        "fallbacks": release["fallbacks"],
        "is_compared": "prediction" in release,
    }
    if release["latency_ms"]:
        answers |= {"p50_ms": release["latency_ms"]["p50"], "p99_ms": release["latency_ms"]["p99"]}
    return answers


def fallback_findings(counts: WindowCounts, monitoring: Monitoring) -> list[Finding]:
    """Name the causes where more answers came without a model than settings let; those of the night do not count."""
    causes: dict[str, int] = {}
    for release in counts["releases"].values():
        for cause, rows in release["fallbacks"].items():
            if cause not in _NOBODYS_FAULT:
                causes[cause] = causes.get(cause, 0) + rows
    share = 100 * sum(causes.values()) / max(counts["rows"], 1)
    if counts["rows"] < LEAST_ROWS or share <= monitoring.fallback_percent:
        return []
    named = ", ".join(f"{cause} {rows:,}" for cause, rows in sorted(causes.items(), key=lambda one: -one[1])[:3])
    return [_finding(Kind.FALLBACK, f"{share:.1f} % of answers came without a model: {named}", counts["window"])]


def set_aside_findings(counts: WindowCounts) -> list[Finding]:
    files, unparsed, found = counts["set_aside"], counts["unparsed"], []
    if files:
        text = f"{len(files)} captured files cannot be read and are not counted, such as {files[0]['key']}"
        found.append(_finding(Kind.SET_ASIDE, f"{text} ({files[0]['reason']})", counts["window"]))
    if unparsed:
        found.append(_finding(Kind.SET_ASIDE, f"{unparsed:,} rows have features that cannot be read", counts["window"]))
    return found


# ---- what came in


def contract_findings(window: str, breaches: Breaches, monitoring: Monitoring) -> list[Finding]:
    rows, broken = breaches["rows"], breaches["quarantined"]
    share = 100 * broken / max(rows, 1)
    if rows < LEAST_CAME_IN or share <= monitoring.quarantine_percent:
        return []
    rules = ", ".join(f"{rule} {times:,}" for rule, times in sorted(breaches["reasons"].items(), key=lambda r: -r[1]))
    text = f"{broken:,} of {rows:,} rows that came in broke the contract ({share:.1f} %): {rules}"
    return [_finding(Kind.CONTRACT, text, window)]


def silence_findings(
    window: str, rows: int, *, before: Sequence[WindowItem], has_champion: bool, is_over: bool
) -> list[Finding]:
    """Find that answers ended. A day of the week on which none came a week ago either is quiet, not silent."""
    known = {item["run"]: item["rows"] for item in before}
    last = before[-1]["rows"] if before else 0
    quiet = known.get(f"{date.fromisoformat(window) - timedelta(days=7)}") == 0
    if rows or not is_over or not has_champion or not last or quiet:
        return []
    return [_finding(Kind.SILENCE, f"nobody asked; {last:,} answers in {before[-1]['run']}", window)]


# ---- what happened


def outcomes_of(
    task: str, windows: Sequence[Happened], reference: Reference | None, *, days: int, closed: Sequence[str]
) -> tuple[dict[str, Outcomes], list[Finding]]:
    """Judge a release by its outcomes, window by window, the earliest first; also return where it had declined.

    Only windows that are closed count as evidence: of an open one the outcomes that came first are not all alike.
    """
    known = {each.window: _known(task, each, is_open=each.window not in closed) for each in windows}
    if reference is None or reference["wrong"] is None or not reference["rows"]:
        return known, []
    detector = decline.begin(reference["wrong"], reference["rows"])
    found: list[Finding] = []
    seen: list[Happened] = []
    declined_since = ""
    for each in windows:
        if each.window not in closed or not each.outcomes:
            continue
        seen.append(each)
        detector = decline.after(detector, each.wrong, each.outcomes)
        known[each.window]["log_evidence"] = round(detector.evidence, 6)
        if decline.is_alarm(detector, windows=windows_a_year(days)):
            first = decline.began(detector.bound, [(one.wrong, one.outcomes) for one in seen])
            declined_since, detector = declined_since or seen[first].window, decline.restarted(detector)
        if each.wrong <= detector.bound * each.outcomes:
            declined_since = ""
        if declined_since:
            found.append(_declined(seen, reference, declined_since))
    return known, found


def _known(task: str, each: Happened, *, is_open: bool) -> Outcomes:
    outcomes: Outcomes = {
        "outcomes": each.outcomes,
        "wrong": each.wrong,
        "metrics": {name: round(value, 6) for name, value in happened.metrics(task, each).items()},
        "is_open": is_open,
    }
    if (decisions := each.decisions) is not None:
        outcomes["decisions"] = decisions
    more = {
        "value_usd": each.mean("value_usd"),
        "predicted": each.mean("predicted"),
        "happened": happened.happened_share(each),
        "held": happened.held_share(each),
    }
    outcomes |= {name: round(value, 6) for name, value in more.items() if value is not None}  # type: ignore[typeddict-item]
    return outcomes


def _declined(seen: Sequence[Happened], reference: Reference, since: str) -> Finding:
    meant = happened.total((one for one in seen if one.window >= since), since)
    wrong, was = meant.wrong / meant.outcomes, (reference["wrong"] or 0) / reference["rows"]
    text = f"wrong in {_percent(wrong)} of {meant.outcomes:,} outcomes since {since}, {_percent(was)} at release"
    value, before = meant.mean("value_usd"), reference["value_usd"]
    if value is not None and before is not None:
        text += f"; an answer is worth ${value:,.2f}, ${before:,.2f} at release"
    return {**_finding(Kind.DECLINE, text, seen[-1].window), "since": since}


def no_outcomes_findings(item: WindowItem, before: Sequence[WindowItem], *, is_closed: bool) -> list[Finding]:
    """Find that outcomes ended: the window is closed and has none, and the one before it had some."""
    last = _outcomes_in(before[-1]) if before else 0
    if not is_closed or not item["rows"] or not last or _outcomes_in(item):
        return []
    text = f"no outcome of {item['rows']:,} answers has come; {last:,} came of {before[-1]['run']}"
    return [_finding(Kind.NO_OUTCOMES, text, item["run"])]


def _outcomes_in(item: WindowItem) -> int:
    return sum(one["outcomes"] for one in item["outcomes"].values())


# ---- together


def state_of(rows: int, findings: Sequence[Finding]) -> State:
    """Return the worst state that was found; a window without a row has no data, whatever came in beside it."""
    found = {_STATES.get(Kind(each["kind"])) for each in findings}
    worst = next((state for state in _WORST if state in found), State.OK)
    return State.NO_DATA if not rows and worst is not State.BROKEN else worst


def carried_on(findings: Sequence[Finding], before: WindowItem | None) -> list[Finding]:
    """Let a finding that the window before had too begin when that did."""
    since = {_subject(each): each["since"] for each in before["findings"]} if before else {}
    return [{**each, "since": min(each["since"], since.get(_subject(each), each["since"]))} for each in findings]


def news(findings: Sequence[Finding], known: Sequence[Finding]) -> list[Finding]:
    """Return the findings that alarm and were not told: `known` are those that the window was known to have, and those
    of the window before.
    """
    told = {_subject(each) for each in known}
    return [each for each in findings if Kind(each["kind"]) in ALARMS and _subject(each) not in told]


def _subject(finding: Finding) -> tuple[str, ...]:
    return finding["kind"], finding.get("release", ""), finding.get("column", "")


def _finding(kind: Kind, text: str, window: str) -> Finding:
    return {"kind": kind, "text": text, "window": window, "since": window}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
