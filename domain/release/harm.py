"""Evidence of harm and of safety in the counts of a rollout, by each rule, in words.

Each rule is wrong about a canary that is as good with one chance in a hundred at most, however often it is asked, that
of the split with one in a thousand. All together they could be with three; bench/release.py holds them to one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.release import evidence
from domain.release.counts import FAILURES, Counts, Kind, Side, counter, losses_of, total
from domain.release.evidence import BACK, HOLD, IMBALANCE

_WORDS = {Kind.ERROR: "failed", Kind.FALLBACK: "got the fallback", Kind.SLOW: "waited too long"}


class Rule(StrEnum):
    """A rule that can end a rollout."""

    FAILED = "failed answers"
    SLOW = "slow answers"
    DECISIONS = "decisions"
    VALUE = "value"
    SPLIT = "split"


@dataclass(frozen=True)
class Limits:
    """Tolerated rates of a canary, relative to the champion."""

    failures: float = 1.2  # ratio of the rates of errors and fallbacks
    slow: float = 1.1  # ratio of the rates of slow answers
    safe: float = 2.0  # ratio below which all rates must be proven to be for the canary to be called safe
    values: bool = False  # whether decisions have a value


@dataclass(frozen=True)
class Weighed:
    """Evidence by one rule, as a natural logarithm, with its boundary and the counts in words."""

    rule: Rule
    log_e: float
    boundary: float
    counts: str

    @property
    def is_harm(self) -> bool:
        return self.log_e >= self.boundary

    @property
    def holds(self) -> bool:
        return self.log_e >= HOLD

    @property
    def sentence(self) -> str:
        return f"{self.rule}: {self.counts}; e-value {in_digits(self.log_e)} of {in_digits(self.boundary)}"


def weigh(steps: Sequence[Counts], limits: Limits) -> list[Weighed]:
    """Evaluate each rule of the project on the counts of every share of a rollout."""
    return [
        _by_failures(steps, Rule.FAILED, (Kind.ERROR, Kind.FALLBACK), tolerated=limits.failures),
        _by_failures(steps, Rule.SLOW, (Kind.SLOW,), tolerated=limits.slow),
        _by_value(steps) if limits.values else _by_decisions(steps),
        _by_split(steps),
    ]


def safety(steps: Sequence[Counts], limits: Limits) -> float:
    """Return the evidence that the canary's answers are safe: the least of all kinds; 0 if there was no failure."""
    proven = [
        evidence.safety_by_failures([step.failures(kind) for step in steps], ratio=limits.safe)
        for kind in FAILURES
        if any(_failed(steps, kind).values())
    ]
    return min(proven, default=0.0)


def in_digits(log_e: float) -> str:
    """Write an e-value whose logarithm is given."""
    if log_e > 34:  # 10^15; larger numbers mean no more
        return "above 1e+15"
    return f"{math.exp(log_e):,.0f}" if log_e >= math.log(10) else f"{math.exp(log_e):.2g}"


def _by_failures(steps: Sequence[Counts], rule: Rule, kinds: Sequence[Kind], *, tolerated: float) -> Weighed:
    """Evaluate first failures. A failed answer can be both an error and a fallback, so their e-values are combined."""
    harm = {
        kind: evidence.harm_by_failures([step.failures(kind) for step in steps], tolerated=tolerated) for kind in kinds
    }
    worst = max(harm, key=lambda kind: harm[kind])
    failed = _failed(steps, worst)
    counts = ", ".join(
        f"{failed[side]:,} of {total(steps, counter(side, Kind.ENTITIES)):,} of the {side}" for side in Side
    )
    return Weighed(rule, evidence.together(list(harm.values())), BACK, f"entities that {_WORDS[worst]}: {counts}")


def _failed(steps: Sequence[Counts], kind: Kind) -> dict[Side, int]:
    return {side: total(steps, counter(side, kind)) for side in Side}


def _by_value(steps: Sequence[Counts]) -> Weighed:
    paired, different = total(steps, "paired"), total(steps, "disagreements")
    counts = f"rows that both decided: {paired:,}; {different:,} of them differently and with an outcome"
    return Weighed(Rule.VALUE, evidence.harm_by_value(losses_of(steps)), BACK, counts)


def _by_decisions(steps: Sequence[Counts]) -> Weighed:
    different, right = total(steps, "disagreements"), total(steps, "canary_right")
    counts = f"rows with an outcome that the two decided differently: {different:,}; the canary was right on {right:,}"
    return Weighed(Rule.DECISIONS, evidence.harm_by_decisions(different, right), BACK, counts)


def _by_split(steps: Sequence[Counts]) -> Weighed:
    log_e = 0.0  # an entity is counted once in a rollout, so shares have disjoint entities
    for step in steps:
        entities = step.canary_entities + step.champion_entities
        log_e += evidence.imbalance(entities, step.canary_entities, step.share)
    counts = ", ".join(f"{_of_all(step)} where {100 * step.share:g} % were expected" for step in steps)
    return Weighed(Rule.SPLIT, log_e, IMBALANCE, f"entities of the canary: {counts or 'none'}")


def _of_all(step: Counts) -> str:
    return f"{step.canary_entities:,} of {step.canary_entities + step.champion_entities:,}"
