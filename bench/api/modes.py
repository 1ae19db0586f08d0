"""`python -m bench.api.modes`: one request end to end where functions answer with the model, beside endpoints.

The reference project is deployed and released twice below build/bench, on a local AWS each (some minutes, the first
time), and asked by one client in turns of some seconds, in a random order. The last line has the ratio of the medians;
the exit code is 1 if it is above the limit, or a request failed or was answered by anything but the mode's own model.
"""

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.api.load import Ask, Level, Row, measure
from bench.faults.place import ROOT, Place, released
from domain.request.answers import Source
from fairway.client import Credentials, Fairway
from flights.demo import sample
from local.profile import REGION, root_key

FOLDER = ROOT / "build/bench/api"
RESULTS = Path(__file__).parent / "modes.json"
MODES = {"serverless": Source.MODEL, "function": Source.FUNCTION}
MOST_OF_ENDPOINT = 0.5  # of the median with an endpoint
WARM_S = 2.0


class AnsweredByAnother(Exception):
    """The answer did not come from where the mode has its model."""


def main() -> int:
    options = _parse(sys.argv[1:])
    with ExitStack() as stack:
        asks = {mode: _ask(stack.enter_context(_deployed(mode)), source) for mode, source in MODES.items()}
        levels = _levels(asks, _rows(), rounds=options.rounds, seconds=options.seconds)
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "levels": levels,
    }
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(last_line(results))
    return 0 if holds(results) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.api.modes", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--quick", action="store_true", help="two short rounds; writes nothing")
    options = parser.parse_args(arguments)
    options.rounds, options.seconds = (2, 3.0) if options.quick else (7, 6.0)
    return options


@contextmanager
def _deployed(mode: str) -> Iterator[Place]:
    """Yield the reference project in this mode, with a champion that answers; its local AWS is stopped again."""
    place = Place(FOLDER / ("flights" if mode == "serverless" else mode))
    try:
        if place.folder.exists():
            place.fairway("up")
        if not place.folder.exists() or place.fairway("status")["champion"] is None:
            released(place.folder, {'mode = "serverless"': f'mode = "{mode}"'})
        yield place
    finally:
        place.fairway("down")


def _ask(place: Place, source: Source) -> Ask:
    key = root_key(place.state)
    client = Fairway(
        url=place.fairway("status")["api_url"],
        region=REGION,
        credentials=Credentials(key.access_key, key.secret_key),
    )

    def ask(row: Row) -> object:
        answer: Any = client.predict(row)
        if answer["source"] != source:
            raise AnsweredByAnother(f"{answer['source']}: {answer['reason']}")
        return answer

    return ask


def _rows() -> list[Row]:
    flights = sample(FOLDER / "data/flights-2013-05.csv", 200)
    return [{name: value for name, value in flight.items() if name != "late"} for flight in flights]


def _levels(asks: dict[str, Ask], rows: list[Row], *, rounds: int, seconds: float) -> dict[str, Level]:
    """{mode: medians over the rounds}."""
    visits: dict[str, list[Level]] = {mode: [] for mode in asks}
    for ask in asks.values():
        measure(lambda ask=ask: ask, rows, clients=1, seconds=WARM_S)
    for number in range(rounds):
        order = list(asks)
        random.Random(number).shuffle(order)  # a busy minute of the machine hits no mode alone
        for mode in order:
            level = measure(lambda mode=mode: asks[mode], rows, clients=1, seconds=seconds)
            told = f"{mode:10} p50 {level['p50_ms']:.2f} p99 {level['p99_ms']:.2f} ms, failed {level['failed']}"
            print(told, file=sys.stderr, flush=True)
            visits[mode].append(level)
    return {mode: _median(levels) for mode, levels in visits.items()}


def _median(levels: list[Level]) -> Level:
    return {
        "requests": sum(level["requests"] for level in levels),
        "failed": sum(level["failed"] for level in levels),
        "p50_ms": statistics.median(level["p50_ms"] for level in levels),
        "p99_ms": statistics.median(level["p99_ms"] for level in levels),
        "per_second": statistics.median(level["per_second"] for level in levels),
    }


def ratio(results: dict[str, Any]) -> float:
    """Return the median of function mode as a part of that with an endpoint."""
    levels = results["levels"]
    return float(levels["function"]["p50_ms"] / levels["serverless"]["p50_ms"])


def holds(results: dict[str, Any]) -> bool:
    failed = sum(level["failed"] for level in results["levels"].values())
    return ratio(results) < MOST_OF_ENDPOINT and not failed


def last_line(results: dict[str, Any]) -> str:
    levels = results["levels"]
    both = ", ".join(f"{mode} {level['p50_ms']:.1f}/{level['p99_ms']:.1f}" for mode, level in levels.items())
    failed = sum(level["failed"] for level in levels.values())
    return (
        f"p50/p99 ms of one client: {both}; function mode's p50 is {ratio(results):.2f} of an endpoint's (below "
        f"{MOST_OF_ENDPOINT:g}); {failed} requests failed, load average {results['machine']['load_average']}: "
        f"{'holds' if holds(results) else 'BROKEN'}"
    )


if __name__ == "__main__":
    sys.exit(main())
