"""How sure an answer is: the set or interval that should contain what really happens, and similar cases, counted."""

import functools
import math
from collections.abc import Mapping
from typing import Any, TypedDict, cast

from domain.contract.schema import Contract
from domain.request.answers import Score
from domain.train.confidence import (
    Cases,
    ConfidenceTable,
    Segment,
    answer_bin,
    answer_key,
    between,
    merged,
    probability_bin,
    segment_of,
    shown,
)

LEAST_CASES = 50  # with fewer similar cases nothing is said of them
DIGITS = 4  # of a probability
NO_MODEL, NOT_SURE = "No model answered", "The model was not sure"
NOT_COUNTED = "No similar case has been counted."
TOO_FEW = "Too few similar cases to say."


class Confidence(TypedDict, total=False):
    """How sure an answer is; what its task does not have, or nobody has counted, is omitted.

    `set` and `interval` contain the outcome with the probability `coverage`, as long as rows are like those that were
    counted. A `set` of None is any class, an `interval` of None any value.
    """

    coverage: float
    rows: int  # that the coverage rests on
    set: list[Any] | None
    interval: list[float] | None
    unusual: bool  # no class was as likely as the coverage asks, so the set has the likeliest
    probability: float  # that it happens, or that the answer is right, as it was in similar cases
    low: float  # of the probability, if one more such row had not happened
    high: float  # and if it had
    cases: int  # similar ones
    happened: int  # of these
    flagged: bool  # true if a person should look at it: several classes are possible
    says: str


def confidence_of(
    contract: Contract,
    table: ConfidenceTable | None,
    score: Score,
    *,
    classes: list[Any] | None = None,
    happened: str = "",
) -> Confidence:
    """Say how sure the answer is that is made of a score, by the table of the release that gave it.

    Scores and classes are those of `domain/request/answers.py`. `happened` is how the sentence of a binary task says
    that the positive outcome happened, such as `were late`.
    """
    if table is None:
        return {"cases": 0, "says": NOT_COUNTED}
    if table["task"] == "regression":
        return _of_value(table, cast(float, score))
    if table["task"] == "binary":
        share = cast(float, score)
        found = _of_class(table, [False, True], [share, 1 - share], answer_key("binary", share >= table["threshold"]))
        return {**found, **_counted(table, share, "similar cases", _verb(contract, happened))}
    names, shares = classes or [], cast(list[float], score)
    largest = max(shares)
    answer = answer_key("multiclass", names[shares.index(largest)])
    found = _of_class(table, names, [1 - share for share in shares], answer)
    return {**found, **_counted(table, largest, "answers as sure as this", "were right")}


def _of_class(table: ConfidenceTable, names: list[Any], distances: list[float], answer: str) -> Confidence:
    limit = table["by_answer"].get(answer, table["all"])
    most = math.inf if limit["distance"] is None else limit["distance"]
    within = [name for name, distance in zip(names, distances, strict=True) if distance <= most]
    found: Confidence = {"coverage": table["coverage"], "rows": limit["rows"], "set": within}
    return found if within else {**found, "set": [names[distances.index(min(distances))]], "unusual": True}


def _counted(table: ConfidenceTable, scored: float, of: str, verb: str) -> Confidence:
    low, high = between(table["doubt"], scored)
    counted = table["similar"][probability_bin(low, high)]
    return _in_words(low, high, counted["cases"], counted["happened"], of, verb)


@functools.lru_cache(maxsize=1024)  # a table has some 200 such ends, and putting the words together costs most
def _in_words(low: float, high: float, cases: int, happened: int, of: str, verb: str) -> Confidence:
    return {
        "probability": round(merged(low, high), DIGITS),
        "low": round(low, DIGITS),
        "high": round(high, DIGITS),
        "cases": cases,
        "happened": happened,
        "says": _says({"cases": cases, "happened": happened}, of, verb),
    }


def _of_value(table: ConfidenceTable, value: float) -> Confidence:
    place = answer_bin(table["edges"], value)
    limit, counted = table["by_answer"].get(str(place), table["all"]), table["similar"][place]
    found: Confidence = {"coverage": table["coverage"], "rows": limit["rows"], "interval": None}
    if (distance := limit["distance"]) is None:
        return {**found, "says": TOO_FEW}
    says = _says(counted, "similar cases", f"were within {_plain(distance)} of the answer")
    found["interval"] = [value - distance, value + distance]
    return {**found, "cases": counted["cases"], "happened": counted["happened"], "says": says}


def without_model(
    contract: Contract,
    table: ConfidenceTable | None,
    answer: Any,
    *,
    row: Mapping[str, Any] | None = None,
    happened: str = "",
    why: str = NO_MODEL,
) -> Confidence:
    """Say how sure the fallback's answer is: what all cases came to, or of a binary task those of the row's segment.

    The table is that of the release that should have answered; one of another task has nothing to say.
    """
    if table is None or table["task"] != contract.task:
        return {"cases": 0, "says": f"{why}; {NOT_COUNTED[0].lower()}{NOT_COUNTED[1:]}"}
    counted, found = table["without_model"], Confidence(coverage=table["coverage"], rows=table["rows"])
    if table["task"] == "regression":
        found["interval"] = interval = table["prior_interval"]
        verb = f"were between {_plain(interval[0])} and {_plain(interval[1])}" if interval else ""
    else:
        found["set"] = table["prior_set"]
        verb = _verb(contract, happened) if contract.task == "binary" else f"had {contract.target.name} = {answer}"
    of = "cases in all"
    if contract.task == "binary" and (found_in := segment_of(table, row or {})):
        of, counted = f"cases with {found_in[0]}", _cases_of(found_in[1])
    all_cases = _says(counted, of, verb) if verb else TOO_FEW
    says = f"{why}; {all_cases[0].lower()}{all_cases[1:]}"
    return {**found, "cases": counted["cases"], "happened": counted["happened"], "says": says}


def _cases_of(segment: Segment) -> Cases:
    return {"cases": segment["cases"], "happened": round(segment["total"])}


def held(contract: Contract, sure: Mapping[str, Any], outcome: Any) -> bool | None:
    """Return whether the outcome lies in the answer's set or interval; None if the answer promised nothing."""
    if "coverage" not in sure:
        return None
    if contract.task == "regression":
        interval = sure.get("interval")
        return interval is None or interval[0] <= outcome <= interval[1]
    possible = sure.get("set")
    return possible is None or (outcome == contract.positive if contract.task == "binary" else outcome) in possible


def _verb(contract: Contract, happened: str) -> str:
    """Return how a sentence says that the positive outcome happened: by the settings, else by target and value."""
    return happened or f"had {contract.target.name} = {shown(contract.positive)}"


def _says(counted: Cases, of: str, verb: str) -> str:
    cases, happened = counted["cases"], counted["happened"]
    if cases < LEAST_CASES:
        return TOO_FEW
    return f"Of {cases:,} {of}, {happened:,} {verb} ({_about(cases, happened)})."


def _about(cases: int, happened: int) -> str:
    """Return a share in words: in tenths, or hundredths near the ends, and never all or none if it is not."""
    tenths, hundredths = ((2 * parts * happened + cases) // (2 * cases) for parts in (10, 100))
    if happened in (0, cases):
        return "all of them" if happened else "none of them"
    if 1 <= tenths <= 9:
        return f"about {tenths} in 10"
    if 1 <= hundredths <= 99:
        return f"about {hundredths} in 100"
    return "fewer than 1 in 100" if hundredths == 0 else "more than 99 in 100"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
