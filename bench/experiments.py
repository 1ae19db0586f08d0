"""The rule of an experiment (domain/release/experiment.py: verdict) on simulated arms; bench/release.py runs it.

Each run is looked at a hundred times, at even numbers of entities, until something is found or as many entities as were
planned have a value. Where the arms are alike, whatever is found is false.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator

from domain.config.sections import Business
from domain.release.counts import Counts
from domain.release.experiment import begun, difference_of, verdict
from domain.release.rollout import Experiment, Rollout
from domain.release.sequence import Arm, compare

SEED, LOOKS = 20261129, 100
NOW = datetime(2026, 11, 28, tzinfo=UTC)
WORTH = Business(true_positive_usd=500.0, false_positive_usd=-12.0, false_negative_usd=-25.0)
OUTCOMES = ("true_positive", "false_positive", "true_negative", "false_negative")
Found = bool | None  # whether the challenger is better; None where nothing was found
Finder = Callable[[Generator], tuple[Found, int]]  # also entities until then


@dataclass(frozen=True)
class Trial:
    """An experiment to be run many times, and what its result is held to."""

    name: str
    find: Finder
    most_false: float | None = None  # share of runs
    least_power: float | None = None


@dataclass(frozen=True)
class Tally:
    """What the runs of a trial came to."""

    trial: Trial
    better: float  # share of runs that found the challenger better
    worse: float
    median: float  # entities until it ended

    @property
    def holds(self) -> bool:
        if self.trial.most_false is not None:
            return self.better + self.worse <= self.trial.most_false
        return self.better >= (self.trial.least_power or 0.0)


def decided(metric: str, champion: list[float], challenger: list[float], *, share: float, users: int) -> Finder:
    """Make a run by the rule's verdict on counts: of each arm's entities these shares turn out as OUTCOMES."""

    def find(random: Generator) -> tuple[Found, int]:
        rollout, known = _begun(metric, share, users), np.zeros((2, len(OUTCOMES)), int)
        for look in range(1, LOOKS + 1):
            ours = int(random.binomial(users // LOOKS, share))
            known += [random.multinomial(users // LOOKS - ours, champion), random.multinomial(ours, challenger)]
            difference = difference_of(rollout, [Counts(share, **_named(known))], WORTH)
            if found := verdict(rollout, difference, now=NOW):
                return found["better"], look * users // LOOKS
        return None, users

    return find


def _begun(metric: str, share: float, users: int) -> Rollout:
    asked = Experiment(share=share, metric=metric, users=users, days=14.0, by="bench", before="waiting")
    return begun(asked, rollout="experiment#r-2/1", release="r-2", endpoint="e", champion="r-1", now=NOW)


def _named(known: np.ndarray) -> dict[str, int]:
    arms = zip(("champion", "canary"), known.tolist(), strict=True)
    return {f"{side}_{outcome}": n for side, row in arms for outcome, n in zip(OUTCOMES, row, strict=True)}


def spending(*, share: float, users: int, buys: float = 0.03) -> Finder:
    """Make a run by `compare`, of amounts that are not of four kinds: few buy, and what they spend is skewed."""

    def find(random: Generator) -> tuple[Found, int]:
        for look, (champion, challenger) in enumerate(_spent(random, share, users // LOOKS, buys), start=1):
            found = compare(champion, challenger, planned=users)
            if found and (found.excludes_zero or found.is_final):
                return (found.value > 0 if found.excludes_zero else None), look * users // LOOKS
        return None, users

    return find


def _spent(random: Generator, share: float, entities: int, buys: float) -> Iterator[tuple[Arm, Arm]]:
    arms = [Arm(), Arm()]
    for _ in range(LOOKS):
        ours = int(random.binomial(entities, share))
        for place, number in enumerate((entities - ours, ours)):
            buyers = int(random.binomial(number, buys))
            spent = random.lognormal(3.0, 1.2, buyers)
            was = arms[place]
            arms[place] = Arm(
                was.entities + number, was.total + spent.sum(), was.squares + (spent**2).sum(), was.uncommon + buyers
            )
        yield arms[0], arms[1]


def yes(rate: float) -> list[float]:
    """Shares of OUTCOMES where so many outcomes are yes, and every decision is right."""
    return [rate, 0.0, 1 - rate, 0.0]


RARE = [0.02, 0.01, 0.95, 0.02]  # a right yes is rare, and worth much
TRIALS = (
    Trial("alike, 10 % yes, 50/50", decided("conversion", yes(0.1), yes(0.1), share=0.5, users=10_000), 0.05),
    Trial("alike, 10 % yes, 95/5", decided("conversion", yes(0.1), yes(0.1), share=0.05, users=20_000), 0.05),
    Trial("alike, value skewed, 50/50", decided("value", RARE, RARE, share=0.5, users=20_000), 0.05),
    Trial("alike, value skewed, 95/5", decided("value", RARE, RARE, share=0.05, users=40_000), 0.05),
    Trial("alike, amounts lognormal, 50/50", spending(share=0.5, users=20_000), 0.05),
    Trial("alike, amounts lognormal, 95/5", spending(share=0.05, users=20_000), 0.05),
    Trial("alike, amounts lognormal, 95/5, 100,000", spending(share=0.05, users=100_000), 0.05),
    Trial(
        "10 -> 12 % yes, a fixed test finds 89 %",
        decided("conversion", yes(0.1), yes(0.12), share=0.5, users=10_000),
        least_power=0.85,
    ),
    Trial("10 -> 13 % yes", decided("conversion", yes(0.1), yes(0.13), share=0.5, users=10_000), least_power=0.95),
)


def tally(trial: Trial, runs: int) -> Tally:
    """Run the trial so often, each run with a seed of its own."""
    ended = [trial.find(np.random.default_rng([SEED, number])) for number in range(runs)]
    found = [better for better, _ in ended]
    median = statistics.median(entities for _, entities in ended)
    return Tally(trial, found.count(True) / runs, found.count(False) / runs, median)


def line(one: Tally) -> str:
    trial = one.trial
    held = f"<= {trial.most_false:.0%} false" if trial.most_false is not None else f">= {trial.least_power:.0%} better"
    found = f"{one.better:>7.2%} {one.worse:>7.2%} {one.median:>8,.0f}"
    return f"{trial.name:<42} {found}   {held:<14} {'holds' if one.holds else 'BROKEN'}"
