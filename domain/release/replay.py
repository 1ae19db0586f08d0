"""A replay: requests of the last days scored again, by the champion and by the release that is to follow it.

The champion first repeats the answers that are stored of it. Where it does not, what is stored is not what the model
was asked, or it is not the same model (skew), and nothing else that the replay says can be believed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NotRequired, TypedDict

from domain.config.sections import Config
from domain.release import pace
from domain.release.evidence import BACK
from domain.release.harm import in_digits
from domain.release.pace import Timed as Paced

MOST_FLIPS = 1000  # whose outcomes are looked up
MOST_SEGMENTS = 5  # that are told of
SEGMENT_ROWS = 50  # that a segment has at least


class Rows(StrEnum):
    """Where the rows of a replay come from."""

    CAPTURED = "captured"
    EVALUATION = "evaluation"  # the run's own window: nothing is captured yet


class Stop(StrEnum):
    """Why a release does not go on after its replay."""

    SKEW = "skew"
    ERRORS = "errors"
    FLIPS = "flips"
    LATENCY = "latency"
    DECISIONS = "decisions"


class Difference(TypedDict):
    """A stored answer that the champion did not repeat; both are JSON."""

    id: str
    stored: str
    now: str


class Segment(TypedDict):
    """Rows with one value of a column, and those of them whose decision flipped."""

    column: str
    value: str
    rows: int
    flipped: int


class Flip(TypedDict):
    """A row on which the two decide differently; both decisions are JSON."""

    id: str
    champion: str
    candidate: str


class Timed(TypedDict):
    """Answers to single rows, from bytes to bytes without a network, in turn with the other release's."""

    p50_ms: float
    p99_ms: float


class Counted(TypedDict):
    """What a replay counted."""

    release: str
    champion: str
    source: str  # a Rows
    captured_by: str  # stage; empty for this one
    rows: int  # that both were asked
    first: str  # timestamp of the earliest row; empty without one
    last: str
    repeated: int  # stored answers of the champion that it gave again
    nearly: int  # of these, not to the last bit, where another processor or library had given them
    differing: int  # that it did not give again
    difference: Difference | None  # the first
    unmapped: dict[str, int]  # rows of another contract without a column that the release needs, by column
    filled: dict[str, int]  # rows in which a column is null because their contract had none, by column
    errors: int  # rows that the champion answers and the release does not
    reasons: dict[str, int]  # of errors
    flipped: int | None  # None for a regression
    segments: list[Segment]  # those that flip most
    psi: float  # of the two releases' predictions on the same rows
    psi_p: float  # chance of so much where the true one is too small to matter
    timed: dict[str, Timed]  # by `champion` and `release`


class Replayed(Counted):
    """summary.json of the replay's job."""

    flips: list[Flip]  # MOST_FLIPS of them at most


class Known(TypedDict):
    """What outcomes say of the rows that flipped; rows on which both decide alike are worth the same."""

    outcomes: int
    candidate_right: int
    value_usd: float | None  # of the release's decisions less the champion's; None where decisions have no value
    log_e: float  # evidence that the release is worse


class Report(Counted):
    """What a release's item keeps of its replay."""

    at: str  # timestamp
    known: Known
    paced: NotRequired[Paced]  # what the endpoints took, where release.replay_seconds asks for it
    stop: str  # a Stop; empty where it goes on
    why: str


@dataclass(frozen=True)
class Limits:
    """What a replay is held to."""

    flips_percent: float
    p99_ms: float  # 0: none


def limits_of(config: Config) -> Limits:
    """Read the limits from a stage's settings."""
    return Limits(flips_percent=config.release.replay_flips, p99_ms=config.benchmarks.p99_ms)


def judged(counted: Counted, known: Known, limits: Limits, paced: Paced | None = None) -> tuple[str, str]:
    """Return the first Stop that holds, or an empty text, and the sentence that says why the release stops or goes on.

    Without a row nothing is known and nothing is wrong: a shadow and a canary may come after.
    """
    for stop, why in (
        (Stop.SKEW, _skew(counted)),
        (Stop.ERRORS, _errors(counted)),
        (Stop.FLIPS, _flips(counted, limits)),
        (Stop.LATENCY, _latency(counted, limits) or pace.breach(paced, limits.p99_ms)),
        (Stop.DECISIONS, _decisions(known)),
    ):
        if why:
            return stop, f"{stop}: {why}"
    return "", _passed(counted)


def _skew(counted: Counted) -> str:
    first = counted["difference"]
    if first is None:
        return ""
    stored = counted["differing"] + counted["repeated"]
    return (
        f"{counted['champion']} does not repeat {counted['differing']:,} of {stored:,} stored answers, the first "
        f"{first['id']}: {first['stored']} then, {first['now']} now; nothing else of the replay can be believed"
    )


def _errors(counted: Counted) -> str:
    if not counted["errors"]:
        return ""
    reason, rows = max(counted["reasons"].items(), key=lambda each: (each[1], each[0]))
    return (
        f"{counted['errors']:,} of {counted['rows']:,} rows get no answer that {counted['champion']} answers, "
        f"{rows:,} of them since {reason}"
    )


def _flips(counted: Counted, limits: Limits) -> str:
    percent = _flipped_percent(counted)
    if percent is None or percent <= limits.flips_percent:
        return ""
    return (
        f"{percent:.1f} % of {counted['rows']:,} decisions differ from {counted['champion']}'s; "
        f"at most {limits.flips_percent:g} % may (release.replay_flips)"
    )


def _latency(counted: Counted, limits: Limits) -> str:
    ours, theirs = (counted["timed"].get(side, {"p99_ms": 0.0})["p99_ms"] for side in ("release", "champion"))
    if not limits.p99_ms or ours <= limits.p99_ms:
        return ""
    return f"p99 {ours:.3g} ms, the champion's {theirs:.3g}; at most {limits.p99_ms:g} ms may be (benchmarks.p99_ms)"


def _decisions(known: Known) -> str:
    if known["log_e"] < BACK:
        return ""
    return (
        f"of {known['outcomes']:,} flipped rows with an outcome the release is right in {known['candidate_right']:,}"
        f"{_worth(known)}; e-value {in_digits(known['log_e'])} of {in_digits(BACK)}"
    )


def _passed(counted: Counted) -> str:
    if not counted["rows"]:
        return "no row could be replayed"
    percent = _flipped_percent(counted)
    flips = "" if percent is None else f", {percent:.1f} % of the decisions differ"
    of_stage = f" of {counted['captured_by']}" if counted["captured_by"] else ""
    where = (
        f"captured rows{of_stage}"
        if counted["source"] == Rows.CAPTURED
        else f"rows of the evaluation window, since none{of_stage} is captured"
    )
    return f"{counted['rows']:,} {where}{flips}"


def _flipped_percent(counted: Counted) -> float | None:
    """Return how many of a hundred decisions differ; None for a regression, and without a row."""
    flipped, rows = counted["flipped"], counted["rows"]
    return None if flipped is None or not rows else 100 * flipped / rows


def worst(segments: Mapping[tuple[str, str], Sequence[int]]) -> list[Segment]:
    """Select the segments that flip most, of (rows, flipped) by column and value; small ones say nothing."""
    found: list[Segment] = [
        {"column": column, "value": value, "rows": rows, "flipped": flipped}
        for (column, value), (rows, flipped) in segments.items()
        if rows >= SEGMENT_ROWS and flipped
    ]
    found.sort(key=lambda one: (-one["flipped"] / one["rows"], one["column"], one["value"]))
    return found[:MOST_SEGMENTS]


def in_words(report: Report) -> list[str]:
    """Describe a report, a sentence a line."""
    if "rows" not in report:  # it was left out, and there is only the reason
        return [f"replay: {report['why']}"]
    return [
        f"replay {'stopped it' if report['stop'] else 'passed'}: {report['why']}",
        *_about_the_rows(report),
        *map(_of_segment, report["segments"]),
        *_about_the_predictions(report),
        *([pace.in_words(report["paced"])] if "paced" in report else []),
        *_about_the_outcomes(report["known"]),
    ]


def _about_the_rows(counted: Counted) -> list[str]:
    lines = []
    if counted["source"] == Rows.CAPTURED:
        stored = counted["repeated"] + counted["differing"]
        span = f" from {counted['first']} to {counted['last']}" if counted["rows"] else ""
        nearly = f", {counted['nearly']:,} of them not to the last bit" if counted["nearly"] else ""
        lines.append(f"rows{span}; {counted['champion']} repeats {counted['repeated']:,} of {stored:,} answers{nearly}")
    lines += [f"{rows:,} rows lack {column}: not replayed" for column, rows in sorted(counted["unmapped"].items())]
    lines += [f"{rows:,} rows lack {column}: null there" for column, rows in sorted(counted["filled"].items())]
    return lines


def _of_segment(one: Segment) -> str:
    percent = 100 * one["flipped"] / one["rows"]
    return f"{one['column']} {one['value']}: {percent:.1f} % of {one['rows']:,} decisions differ"


def _about_the_predictions(counted: Counted) -> list[str]:
    lines = []
    if counted["rows"]:
        lines.append(f"predictions on the same rows: PSI {counted['psi']:.4f}, p {counted['psi_p']:.2g}")
    if counted["timed"]:
        ours, theirs = (counted["timed"][side] for side in ("release", "champion"))
        lines.append(
            f"single rows, p50 and p99: {ours['p50_ms']:.3g} and {ours['p99_ms']:.3g} ms, "
            f"{counted['champion']} in turn with it {theirs['p50_ms']:.3g} and {theirs['p99_ms']:.3g} ms"
        )
    return lines


def _about_the_outcomes(known: Known) -> list[str]:
    if not known["outcomes"]:
        return []
    return [
        (
            f"{known['outcomes']:,} rows on which both differ have an outcome; "
            f"the release is right in {known['candidate_right']:,}{_worth(known)}"
        )
    ]


def _worth(known: Known) -> str:
    return "" if known["value_usd"] is None else f", worth {known['value_usd']:+,.2f} $ in all"
