"""`python -m bench.faults`: the local AWS is killed again and again, and nothing that it answered is lost.

Public commands only, below build/bench/faults; the last line is the figures. Full rounds take hours.
"""

import argparse
import sys

from bench.faults import cost, kills, million, overload, requests
from bench.faults.place import FOLDER, Place, released

MOST_OVERLOADED_S = 20.0
PARTS = ("cost", "requests", "overload", "kills", "million")


def main() -> int:
    options = _parse(sys.argv[1:])
    FOLDER.mkdir(parents=True, exist_ok=True)
    places = [released(FOLDER / "kept")]
    if "cost" in options.parts:
        places.append(released(FOLDER / "plain"))
    try:
        figures, wrong = _measure(options, places)
    finally:
        for place in places:
            place.fairway("down")
    for line in wrong:
        print(f"WRONG {line}")
    print(" · ".join(figures))
    return 1 if wrong else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few rounds of fewer rows, some minutes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rounds", type=int, help="batches under a kill (5; 200)")
    parser.add_argument("--rows", type=int, help="in each of them (20,000; 200,000)")
    parser.add_argument("--seconds", type=float, help="of requests under a kill every 20 s (60; 600)")
    parser.add_argument("--predictions", type=int, help="stored at a restart (100,000; 1,000,000)")
    options = parser.parse_args(arguments)
    for name, quick, full in (
        ("rounds", 5, 200),
        ("rows", 20_000, 200_000),
        ("seconds", 60.0, 600.0),
        ("predictions", 100_000, 1_000_000),
    ):
        setattr(options, name, getattr(options, name) or (quick if options.quick else full))
    return options


def _measure(options: argparse.Namespace, places: list[Place]) -> tuple[list[str], list[str]]:
    """The figures, and what must not be."""
    figures, wrong, kept = [f"seed {options.seed}"], [], places[0]
    if "cost" in options.parts:
        costs = cost.run(
            *places, requests=100 if options.quick else 1000, batches=1 if options.quick else 5, progress=_say
        )
        figures.append(f"the journal costs {costs.of_a_request:+.1%} of a request, {costs.of_a_batch:+.1%} of a batch")
    if "requests" in options.parts:
        asked = requests.run(kept, seconds=options.seconds, every_s=20.0)
        recovered = max(asked.recovered_s)
        figures.append(
            f"{asked.answered:,} answers over {asked.kills} kills: {asked.not_stored} not stored, "
            f"{asked.without_reason} without a reason, again after {recovered:.1f} s at most"
        )
        _say(figures[-1])
        wrong += [f"{asked.not_stored} answers are not stored"] * bool(asked.not_stored)
        wrong += [f"{asked.without_reason} answers have no reason"] * bool(asked.without_reason)
    if "overload" in options.parts:
        figure, faults = _overloaded(kept, min(options.seconds, MOST_OVERLOADED_S))
        figures.append(figure)
        wrong += faults
    if "kills" in options.parts:
        batches = kills.run(kept, rounds=options.rounds, number=options.rows, seed=options.seed, progress=_say)
        hits = ", ".join(f"{kind} {hit}" for kind, hit in batches.killed.items())
        figures.append(f"{batches.rounds} batches of {options.rows:,} rows, killed {hits}: {len(batches.wrong)} wrong")
        _say(figures[-1])
        wrong += batches.wrong
    if "million" in options.parts:
        many = million.run(kept, number=options.predictions, progress=_say)
        figures.append(
            f"{many.stored:,} predictions: `up` {many.after_stop_s:.1f} s, after a kill {many.after_kill_s:.1f} s, "
            f"{many.memory_mb:,.0f} MB"
        )
        wrong += [f"{many.lost:,} predictions are gone after a kill"] * bool(many.lost)
    return figures, wrong


def _overloaded(place: Place, seconds: float) -> tuple[str, list[str]]:
    shed = overload.run(place, seconds=seconds)
    figure = (
        f"overload: {shed.answered:,} answered, {shed.refused:,} refused, {shed.otherwise} otherwise, "
        f"{shed.not_stored} not stored, all answered again after {shed.recovered_s:.1f} s"
    )
    _say(figure)
    wrong = [f"{shed.otherwise} requests under overload were neither answered nor refused"] * bool(shed.otherwise)
    wrong += [f"{shed.not_stored} answers under overload are not stored"] * bool(shed.not_stored)
    return figure, wrong


def _say(line: str) -> None:
    print(f"    {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
