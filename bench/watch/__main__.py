"""`python -m bench.watch`: the rules of watching on simulated windows and outcomes, seeded, beside what people use.

Each line has the share of runs that alarmed and, where something changed, the median until then, of our rule and of the
other on the same streams. The last line sets the figures beside the limits that they are held to, and the exit code is
1 if one of them is broken.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from bench.watch.counting import Counted, count
from bench.watch.declining import days
from bench.watch.drifting import MOVED, PSI_LIMIT, windows

SEED, WINDOWS = 20261128, 100
COUNTED_ROWS = 10_000_000  # a tenth of it with --quick
MOST_MB, AIM_ROWS_PER_SECOND = 500, 500_000
NOTHING = "nothing"  # a figure that is told beside the others


class Alarms(NamedTuple):
    """Windows or days until either rule alarmed in one run; None where it did not."""

    ours: int | None
    theirs: int | None


@dataclass(frozen=True)
class Scenario:
    """A stream, the rule beside ours, and what ours is held to: so few false alarms, or found so soon."""

    name: str
    unit: str  # of the median
    run: Callable[[Generator], Alarms]
    other: str
    most_alarms: float | None = None  # share of runs
    always_within: int | None = None  # in every run
    median_within: int | None = None
    runs: int = 200  # a tenth of it with --quick


@dataclass(frozen=True)
class Rate:
    """One rule over the runs of a scenario."""

    share: float  # of runs with an alarm
    median: float | None  # of those runs
    latest: int | None


@dataclass(frozen=True)
class Result:
    scenario: Scenario
    ours: Rate
    theirs: Rate

    @property
    def holds(self) -> bool:
        held, ours = self.scenario, self.ours
        if held.most_alarms is not None:
            return ours.share <= held.most_alarms
        if held.always_within is not None:
            return ours.share == 1 and (ours.latest or 0) <= held.always_within
        if held.median_within is not None:
            return ours.share > 0.5 and (ours.median or 0) <= held.median_within
        return True

    @property
    def held_to(self) -> str:
        held = self.scenario
        if held.most_alarms is not None:
            return f"alarms in <= {held.most_alarms:.0%} of runs"
        if held.always_within is not None:
            return f"always within {held.always_within} {held.unit}s"
        if held.median_within is None:
            return NOTHING
        return f"median <= {held.median_within} {held.unit}s"


def stable(random: Generator, *, rows: int) -> Alarms:
    """Windows in which nothing changed: any feature that a rule names is a false alarm."""
    ours = theirs = None
    for number, named in enumerate(windows(random, rows=rows, many=WINDOWS), 1):
        ours = ours or (number if named.ours else None)
        theirs = theirs or (number if named.theirs else None)
        if ours and theirs:
            break
    return Alarms(ours, theirs)


def shifted(random: Generator, *, rows: int, shift: float, reference_rows: int) -> Alarms:
    """Windows in which one feature moved: it has to be named."""
    found = list(windows(random, rows=rows, many=10, shift=shift, reference_rows=reference_rows))
    ours = next((number for number, named in enumerate(found, 1) if MOVED in named.ours), None)
    theirs = next((number for number, named in enumerate(found, 1) if MOVED in named.theirs), None)
    return Alarms(ours, theirs)


def outcomes(random: Generator, *, error_rate: float) -> Alarms:
    return Alarms(*days(random, many=WINDOWS, error_rate=error_rate))


_PSI, _DEVIATIONS = f"PSI > {PSI_LIMIT}", "3 standard deviations"
SCENARIOS = (
    *(
        Scenario(f"stable, {rows:,} rows", "window", partial(stable, rows=rows), _PSI, most_alarms=0.05)
        for rows in (100, 1_000, 5_000)
    ),
    # An artefact's reference is what it learnt from: some 50,000 rows of flights. A tenth of that is told beside it.
    Scenario(
        "+0.25 sigma, 1,000 rows beside 50,000",
        "window",
        partial(shifted, rows=1_000, shift=0.25, reference_rows=50_000),
        _PSI,
        always_within=2,
    ),
    Scenario(
        "+0.25 sigma, 1,000 rows beside 5,000",
        "window",
        partial(shifted, rows=1_000, shift=0.25, reference_rows=5_000),
        _PSI,
    ),
    Scenario(
        "errors stay at 20 %, 200 outcomes a day",
        "day",
        partial(outcomes, error_rate=0.2),
        _DEVIATIONS,
        most_alarms=0.05,
        runs=2_000,
    ),
    Scenario(
        "errors 20 -> 25 %, 200 outcomes a day",
        "day",
        partial(outcomes, error_rate=0.25),
        _DEVIATIONS,
        median_within=10,
        runs=2_000,
    ),
)


def result(scenario: Scenario, runs: int) -> Result:
    """Run the scenario so often, each run with a seed of its own."""
    found = [scenario.run(np.random.default_rng([SEED, number])) for number in range(runs)]
    return Result(scenario, _rate([one.ours for one in found]), _rate([one.theirs for one in found]))


def counting(one: Counted) -> str:
    """Write how the verb counts a window, beside its limits and pandas."""
    rates = f"{one.rows_per_second:,.0f} rows/s (aim {AIM_ROWS_PER_SECOND:,}), pandas {one.pandas_rows_per_second:,.0f}"
    return f"monitor, {one.rows:,} rows of 20 features: {rates}; {one.peak_mb:,.0f} MB (<= {MOST_MB})"


def line(one: Result) -> str:
    figures = " ".join(f"{rate.share:>8.1%} {_median(rate):>7}" for rate in (one.ours, one.theirs))
    verdict = "-" if one.held_to == NOTHING else "holds" if one.holds else "BROKEN"
    return f"{one.scenario.name:<42}{figures}  {one.scenario.other:<22} {one.held_to:<28} {verdict}"


def summary(results: Iterable[Result]) -> str:
    """Write every figure beside its limit."""
    told = [f"{one.scenario.name}: {_figure(one)} ({one.held_to})" for one in results]
    return "; ".join(told)


def _figure(one: Result) -> str:
    share = f"{one.ours.share:.1%} of runs, {one.scenario.other} {one.theirs.share:.1%}"
    if one.scenario.most_alarms is not None:
        return share
    return f"{share}, median {_median(one.ours)}, latest {one.ours.latest}"


def _rate(ends: list[int | None]) -> Rate:
    alarmed = [end for end in ends if end is not None]
    if not alarmed:
        return Rate(0.0, None, None)
    return Rate(len(alarmed) / len(ends), statistics.median(alarmed), max(alarmed))


def _median(rate: Rate) -> str:
    return "-" if rate.median is None else f"{rate.median:g}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.watch", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    share = 10 if parser.parse_args().quick else 1
    print(f"seed {SEED}; {WINDOWS} windows or days a run; the other rule on the same streams")
    print(f"{'scenario':<42}{'ours':>8} {'median':>7} {'other':>8} {'median':>7}  {'the other':<22} held to")
    results = []
    for scenario in SCENARIOS:
        results.append(result(scenario, scenario.runs // share))
        print(line(results[-1]), flush=True)
    counted = count(COUNTED_ROWS // share, seed=SEED)
    held = [one for one in results if one.held_to != NOTHING]
    broken = [one.scenario.name for one in held if not one.holds]
    broken += [] if counted.peak_mb <= MOST_MB else ["memory of monitor"]
    limits = len(held) + 1
    print(f"{limits - len(broken)} of {limits} hold. {summary(results)}; {counting(counted)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
