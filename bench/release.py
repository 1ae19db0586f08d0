"""`python -m bench.release`: the rules of a rollout (domain/release/evidence.py) on simulated canaries, seeded.

Each scenario is a stream of requests or outcomes that is looked at every 100 rows, as a rollout does, until the rule
goes back or the stream ends. Prints the share of runs that went back and the median of rows until then; the last line
sets the figures beside the limits that they are held to, and the exit code is 1 if one of them is broken.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from domain.release import evidence
from domain.release.evidence import Failures

SEED, LOOK, SHARE = 20261128, 100, 0.05
HIT_OR_MISS, FALSE_ALARM = 65.0, 12.0  # dollars between the two decisions on a positive, on a negative
LARGEST = 65.0
Looks = Iterator[tuple[int, float]]  # rows so far and the logarithm of the evidence, at each look
Stream = Callable[[Generator], Looks]


@dataclass(frozen=True)
class Scenario:
    """A stream, the evidence at which it ends, and what its result is held to."""

    name: str
    stream: Stream
    most_back: float | None = None  # share of runs
    median_rows: int | None = None
    limit: float = evidence.BACK


@dataclass(frozen=True)
class Result:
    """What the runs of a scenario came to."""

    scenario: Scenario
    back: float  # share of runs
    median_rows: float | None  # of the runs that went back

    @property
    def holds(self) -> bool:
        if self.scenario.most_back is not None:
            return self.back <= self.scenario.most_back
        if self.scenario.median_rows is not None:
            return self.back > 0.5 and (self.median_rows or 0) <= self.scenario.median_rows
        return True


def failing(
    canary: float, champion: float, *, rows: int = 20_000, outage: range = range(0), tolerated: float = 1.2
) -> Stream:
    """Requests of different entities, of which these shares fail; during the outage a fifth of all fail."""

    def looks(random: Generator) -> Looks:
        ours = theirs = 0
        for seen in range(LOOK, rows + 1, LOOK):
            more = 0.2 if seen in outage else 0.0
            asked = random.binomial(LOOK, SHARE)
            ours += random.binomial(asked, max(canary, more))
            theirs += random.binomial(LOOK - asked, max(champion, more))
            yield seen, evidence.harm_by_failures([Failures(SHARE, ours, theirs)], tolerated=tolerated)

    return looks


def sticky(*, rows: int = 20_000, each: int = 20, always: float = 0.02) -> Stream:
    """Entities that ask 20 times each, of which 2 % fail always, whoever answers: only the first failure counts."""

    def looks(random: Generator) -> Looks:
        entities = rows // each
        fails, is_canary = random.random(entities) < always, random.random(entities) < SHARE
        order, failed = random.permutation(np.repeat(np.arange(entities), each)), np.zeros(entities, bool)
        for seen in range(LOOK, rows + 1, LOOK):
            asked = order[seen - LOOK : seen]
            failed[asked[fails[asked]]] = True
            ours = int((failed & is_canary).sum())
            yield seen, evidence.harm_by_failures([Failures(SHARE, ours, int(failed.sum()) - ours)])

    return looks


def deciding(points_lost: float, *, disagree: float = 0.08, rows: int = 20_000) -> Stream:
    """Outcomes of rows that both releases scored; the canary is right less often by so much of all rows."""

    def looks(random: Generator) -> Looks:
        different = right = 0
        for seen in range(LOOK, rows + 1, LOOK):
            new = random.binomial(LOOK, disagree)
            different += new
            right += random.binomial(new, (1 - points_lost / disagree) / 2)
            yield seen, evidence.harm_by_decisions(different, right)

    return looks


def worth(lost: float, *, rows: int = 20_000) -> Stream:
    """Rows with an outcome, a quarter of them positive. The decisions differ on 2 % of the positives and 6 % of the
    negatives, as often to either side; besides, the canary misses positives, for so many dollars a row on average.
    """
    chances = {
        HIT_OR_MISS: 0.25 * 0.01,
        -HIT_OR_MISS: 0.25 * 0.01 + lost / HIT_OR_MISS,
        FALSE_ALARM: 0.75 * 0.03,
        -FALSE_ALARM: 0.75 * 0.03,
    }
    terms = np.array([evidence.loss_terms(difference, LARGEST) for difference in chances])
    cells = [*chances.values(), 1 - sum(chances.values())]

    def looks(random: Generator) -> Looks:
        sums = np.zeros(len(evidence.STAKES))
        for seen in range(LOOK, rows + 1, LOOK):
            sums += random.multinomial(LOOK, cells)[:-1] @ terms
            yield seen, evidence.harm_by_value(sums.tolist())

    return looks


def splitting(real: float, declared: float, *, rows: int = 10_000) -> Stream:
    """Entities, of which so many come to the canary where another share was declared."""

    def looks(random: Generator) -> Looks:
        ours = 0
        for seen in range(LOOK, rows + 1, LOOK):
            ours += random.binomial(LOOK, real)
            yield seen, evidence.imbalance(seen, ours, declared)

    return looks


SCENARIOS = (
    Scenario("equal, 0.5 % fail", failing(0.005, 0.005), most_back=0.01),
    Scenario("equal, 2 % fail", failing(0.02, 0.02), most_back=0.01),
    Scenario("equal, an outage of both", failing(0.005, 0.005, outage=range(8_000, 10_000)), most_back=0.01),
    Scenario("equal, 2 % of the entities always fail", sticky(), most_back=0.01),
    Scenario("equal, right alike", deciding(0.0), most_back=0.01),
    Scenario("equal, worth alike", worth(0.0), most_back=0.01),
    Scenario("canary always fails", failing(1.0, 0.005), median_rows=200),
    Scenario("canary fails 20 %", failing(0.2, 0.005), median_rows=400),
    Scenario("canary fails 5 %", failing(0.05, 0.005), median_rows=2_000),
    # Answers are slow ten times as often as they fail, so there is no need to tolerate a fifth more of them.
    Scenario("equal, 5 % slow", failing(0.05, 0.05, tolerated=1), most_back=0.01),
    Scenario("canary slow 20 %, champion 5 %", failing(0.2, 0.05, tolerated=1), median_rows=1_200),
    Scenario("2 points of accuracy lost", deciding(0.02), median_rows=2_500),
    Scenario("$1 a row lost", worth(1.0), median_rows=1_000),
    Scenario("split as declared", splitting(0.5, 0.5), most_back=0.001, limit=evidence.IMBALANCE),
    Scenario("split 53 for 50", splitting(0.53, 0.5), median_rows=10_000, limit=evidence.IMBALANCE),
)


def result(scenario: Scenario, runs: int) -> Result:
    """Run the scenario so often, each run with a seed of its own."""
    ends = [end for number in range(runs) if (end := _end(scenario, np.random.default_rng([SEED, number]))) is not None]
    return Result(scenario, len(ends) / runs, statistics.median(ends) if ends else None)


def _end(scenario: Scenario, random: Generator) -> int | None:
    return next((rows for rows, harm in scenario.stream(random) if harm >= scenario.limit), None)


def line(one: Result) -> str:
    held = (
        f"<= {one.scenario.most_back:.1%} back"
        if one.scenario.most_back is not None
        else f"median <= {one.scenario.median_rows:,}"
    )
    median = f"{one.median_rows:,.0f}" if one.median_rows is not None else "-"
    return f"{one.scenario.name:<40} {one.back:>7.2%} {median:>8}   {held:<18} {'holds' if one.holds else 'BROKEN'}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.release", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 runs of each scenario instead of 4,000")
    runs = 200 if parser.parse_args().quick else 4_000
    print(f"{runs:,} runs of each, a look every {LOOK} rows, seed {SEED}, canary's share {SHARE:.0%}")
    print(f"{'scenario':<40} {'back':>7} {'rows':>8}   held to")
    results = []
    for scenario in SCENARIOS:
        results.append(result(scenario, runs))
        print(line(results[-1]), flush=True)
    broken = [one.scenario.name for one in results if not one.holds]
    print(f"{len(results) - len(broken)} of {len(results)} hold" + (f"; broken: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
