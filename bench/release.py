"""`python -m bench.release`: the rule of a rollout (domain/release/rollout.py: decide) on simulated canaries, seeded.

Each scenario is a stream of requests and outcomes that is looked at every 100 rows, and each look asks the function
that decides in production, until it goes back, the release is champion, or the stream ends. Prints the share of runs
that went back and the median of rows until then; then the same of experiments (bench/experiments.py), and what they
found. The last line sets the figures beside the limits that they are held to, and the exit code is 1 if one of them is
broken.
"""

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator

from bench import experiments
from domain.release import evidence
from domain.release.counts import Counts
from domain.release.harm import Limits
from domain.release.rollout import Plan, Rollout, State, begun, decide

SEED, LOOK, SHARE = 20261128, 100, 0.05
HIT_OR_MISS, FALSE_ALARM = 65.0, 12.0  # dollars between the two decisions on a positive, on a negative
LARGEST = 65.0
NOW = datetime(2026, 11, 28, tzinfo=UTC)
RISING = Plan(shares=(0.05, 0.25, 0.5), minutes=0.0, rows=1_000, look_s=1, limits=Limits())
Shares = Callable[[], float]  # the canary's, as decided so far
Looks = Iterator[tuple[int, list[Counts]]]  # rows so far and what was counted of them, at each look
Stream = Callable[[Generator, Shares], Looks]


def staying(share: float = SHARE, *, values: bool = False) -> Plan:
    """Make the plan of a rollout that stays at a share; see _begun."""
    return Plan(shares=(share,), minutes=0.0, rows=10**9, look_s=1, limits=Limits(values=values))


STAYING = staying()


@dataclass(frozen=True)
class Scenario:
    """A stream, the plan by which it is looked at, and what its result is held to."""

    name: str
    stream: Stream
    most_back: float | None = None  # share of runs
    median_rows: int | None = None
    plan: Plan = STAYING


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


def _failed(canary: int, champion: int) -> dict[str, int]:
    """Count answers that failed: each of them is an error, and came from the fallback."""
    return {
        "canary_error": canary,
        "canary_fallback": canary,
        "champion_error": champion,
        "champion_fallback": champion,
    }


def _asked(random: Generator, share: float) -> dict[str, int]:
    """Count the rows of a look, each of another entity."""
    ours = int(random.binomial(LOOK, share))
    theirs = LOOK - ours
    return {"canary_rows": ours, "champion_rows": theirs, "canary_entities": ours, "champion_entities": theirs}


def _plus(counts: Counts, **more: int) -> Counts:
    return dataclasses.replace(counts, **{name: getattr(counts, name) + int(value) for name, value in more.items()})


def failing(canary: float, champion: float, *, rows: int = 20_000, outage: range = range(0)) -> Stream:
    """Requests of different entities, of which these shares fail; during the outage a fifth of all fail."""

    def looks(random: Generator, share: Shares) -> Looks:
        counts = Counts(share())
        for seen in range(LOOK, rows + 1, LOOK):
            more, asked = 0.2 if seen in outage else 0.0, _asked(random, share())
            ours = random.binomial(asked["canary_rows"], max(canary, more))
            theirs = random.binomial(asked["champion_rows"], max(champion, more))
            counts = _plus(counts, **asked, **_failed(ours, theirs))
            yield seen, [counts]

    return looks


def waiting(canary: float, champion: float, *, rows: int = 20_000) -> Stream:
    """Requests of different entities, of which these shares wait too long."""

    def looks(random: Generator, share: Shares) -> Looks:
        counts = Counts(share())
        for seen in range(LOOK, rows + 1, LOOK):
            asked = _asked(random, share())
            ours = random.binomial(asked["canary_rows"], canary)
            theirs = random.binomial(asked["champion_rows"], champion)
            counts = _plus(counts, **asked, canary_slow=ours, champion_slow=theirs)
            yield seen, [counts]

    return looks


def _sticky(*, rows: int = 20_000, each: int = 20, always: float = 0.02) -> Stream:
    """Entities that ask 20 times each, of which 2 % fail always, whoever answers: only the first failure counts."""

    def looks(random: Generator, share: Shares) -> Looks:
        entities = rows // each
        fails, is_canary = random.random(entities) < always, random.random(entities) < share()
        order, failed = random.permutation(np.repeat(np.arange(entities), each)), np.zeros(entities, bool)
        came = np.zeros(entities, bool)
        for seen in range(LOOK, rows + 1, LOOK):
            asked = order[seen - LOOK : seen]
            came[asked] = failed[asked[fails[asked]]] = True
            ours, entities_of_ours = int((failed & is_canary).sum()), int((came & is_canary).sum())
            theirs, entities_of_theirs = int(failed.sum()) - ours, int(came.sum()) - entities_of_ours
            entities_seen = {"canary_entities": entities_of_ours, "champion_entities": entities_of_theirs}
            yield seen, [Counts(share(), canary_rows=1, **entities_seen, **_failed(ours, theirs))]

    return looks


def deciding(points_lost: float, *, disagree: float = 0.08, rows: int = 20_000) -> Stream:
    """Outcomes of rows that both releases scored; the canary is right less often by so much of all rows."""

    def looks(random: Generator, share: Shares) -> Looks:
        counts = Counts(share(), canary_rows=1)
        for seen in range(LOOK, rows + 1, LOOK):
            new = random.binomial(LOOK, disagree)
            right = random.binomial(new, (1 - points_lost / disagree) / 2)
            counts = _plus(counts, paired=LOOK, disagreements=new, canary_right=right)
            yield seen, [counts]

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

    def looks(random: Generator, share: Shares) -> Looks:
        sums = np.zeros(len(evidence.STAKES))
        for seen in range(LOOK, rows + 1, LOOK):
            sums += random.multinomial(LOOK, cells)[:-1] @ terms
            yield seen, [Counts(share(), canary_rows=1, paired=seen, losses=tuple(sums.tolist()))]

    return looks


def _splitting(real: float, *, rows: int = 10_000) -> Stream:
    """Entities, of which so many come to the canary, whatever was declared."""

    def looks(random: Generator, share: Shares) -> Looks:
        ours = 0
        for seen in range(LOOK, rows + 1, LOOK):
            ours += int(random.binomial(LOOK, real))
            yield seen, [Counts(share(), canary_rows=1, canary_entities=ours, champion_entities=seen - ours)]

    return looks


def everything(*, fails: float, slow: float = 0.05, outcomes: Stream) -> Stream:
    """All that can be counted at once, of two releases that are alike: failed and slow answers, and outcomes.

    The share is the one that was decided: each has counts of its own.
    """

    def looks(random: Generator, share: Shares) -> Looks:
        by_share: dict[float, Counts] = {}
        for seen, [decided] in outcomes(random, share):
            asked = _asked(random, share())
            ours, theirs = asked["canary_rows"], asked["champion_rows"]
            counts = _plus(by_share.get(share(), Counts(share())), **asked)
            counts = _plus(counts, **_failed(random.binomial(ours, fails), random.binomial(theirs, fails)))
            late = {"canary_slow": random.binomial(ours, slow), "champion_slow": random.binomial(theirs, slow)}
            by_share[share()] = _plus(counts, **late)
            first, *others = by_share.values()
            same = {name: getattr(decided, name) for name in ("paired", "disagreements", "canary_right", "losses")}
            yield seen, [dataclasses.replace(first, **same), *others]

    return looks


SCENARIOS = (
    Scenario("equal, 0.5 % fail", failing(0.005, 0.005), most_back=0.01),
    Scenario("equal, 2 % fail", failing(0.02, 0.02), most_back=0.01),
    Scenario("equal, an outage of both", failing(0.005, 0.005, outage=range(8_000, 10_000)), most_back=0.01),
    Scenario("equal, 2 % of the entities always fail", _sticky(), most_back=0.01),
    Scenario("equal, 5 % slow", waiting(0.05, 0.05), most_back=0.01),
    Scenario("equal, right alike", deciding(0.0), most_back=0.01),
    Scenario("equal, worth alike", worth(0.0), most_back=0.01, plan=staying(values=True)),
    Scenario("equal, all at once", everything(fails=0.02, outcomes=deciding(0.0)), most_back=0.01),
    Scenario(
        "equal, 5 -> 25 -> 50 %, all at once",
        everything(fails=0.005, outcomes=worth(0.0, rows=40_000)),
        most_back=0.01,
        plan=dataclasses.replace(RISING, limits=Limits(values=True)),
    ),
    Scenario("canary always fails", failing(1.0, 0.005), median_rows=200),
    Scenario("canary fails 20 %", failing(0.2, 0.005), median_rows=400),
    Scenario("canary fails 5 %", failing(0.05, 0.005), median_rows=2_000),
    Scenario("canary fails 5 %, share rising", failing(0.05, 0.005), median_rows=2_000, plan=RISING),
    Scenario("canary slow 20 %, champion 5 %", waiting(0.2, 0.05), median_rows=1_200),
    Scenario("2 points of accuracy lost", deciding(0.02), median_rows=2_500),
    Scenario("$1 a row lost", worth(1.0), median_rows=1_000, plan=staying(values=True)),
    Scenario("split as declared", _splitting(0.5), most_back=0.001, plan=staying(0.5)),
    Scenario("split 53 for 50", _splitting(0.53), median_rows=10_000, plan=staying(0.5)),
)


def result(scenario: Scenario, runs: int) -> Result:
    """Run the scenario so often, each run with a seed of its own."""
    ends = [end for number in range(runs) if (end := _end(scenario, np.random.default_rng([SEED, number]))) is not None]
    return Result(scenario, len(ends) / runs, statistics.median(ends) if ends else None)


def _end(scenario: Scenario, random: Generator) -> int | None:
    """Return the rows until the rollout went back; None where it did not."""
    now = [_begun(scenario.plan)]
    for rows, counts in scenario.stream(random, lambda: now[0]["share"]):
        now[0] = decide(now[0], counts, now=NOW, plan=scenario.plan)
        if now[0]["state"] != State.CANARY:
            return rows if now[0]["state"] == State.ROLLED_BACK else None
    return None


def _begun(plan: Plan) -> Rollout:
    """Begin a rollout; one of a single share is paused, so that all of a stream is seen there."""
    rollout = begun(rollout="r-2/1", release="r-2", endpoint="e", champion="r-1", now=NOW, plan=plan)
    return {**rollout, "paused": "to see all of a stream"} if len(plan.shares) == 1 else rollout


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
    parser.add_argument("--quick", action="store_true", help="200 runs of each scenario instead of 2,000")
    runs = 200 if parser.parse_args().quick else 2_000
    print(f"{runs:,} runs of each, a look every {LOOK} rows, seed {SEED}, canary's share {SHARE:.0%} unless it rises")
    print(f"{'scenario':<40} {'back':>7} {'rows':>8}   held to")
    results = []
    for scenario in SCENARIOS:
        results.append(result(scenario, runs))
        print(line(results[-1]), flush=True)
    print(f"{'experiment':<42} {'better':>7} {'worse':>7} {'entities':>8}   held to")
    tallies = []
    for trial in experiments.TRIALS:
        tallies.append(experiments.tally(trial, runs))
        print(experiments.line(tallies[-1]), flush=True)
    broken = [one.scenario.name for one in results if not one.holds]
    broken += [one.trial.name for one in tallies if not one.holds]
    held = len(results) + len(tallies)
    print(f"{held - len(broken)} of {held} hold" + (f"; broken: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
