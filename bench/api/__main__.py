"""`python -m bench.api`: one request end to end on the local AWS, by Fairway's client, beside an echo.

The reference project is deployed and released below build/bench (a minute, the first time), and beside it a function
that answers with what it was sent, behind a route of its own with the same signature. Rounds are interleaved in a
random order. What the client adds is measured on the echo, request for request in turn with a bare connection that is
kept and signed: of the quickest tenth of both, since a busy machine holds up whoever works longer. The last line has
the figures; the exit code is 1 if the client adds more than it may, or a request failed.
"""

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.api import report
from bench.api.bare import Bare
from bench.api.echo import echo_url, unthrottled
from bench.api.load import Ask, Level, Row, alternating, measure
from bench.faults.place import ROOT, Place, released
from fairway.client import Credentials, Fairway
from flights.demo import sample
from local.profile import REGION, root_key

CLIENTS = (1, 8, 32)
FOLDER = ROOT / "build/bench/api"
RESULTS = Path(__file__).parent / "results.json"
LAMBDAS_AT_ONCE = "64"  # so that no request of 32 clients meets the local AWS's own limit, which is 32
WARM_S = 2.0


def main() -> int:
    options = _parse(sys.argv[1:])
    with _deployed() as place:
        rows = _rows()
        cases = _cases(place)
        for clients in (max(CLIENTS), 1):
            for case in cases.values():
                measure(case, rows, clients=clients, seconds=WARM_S)
        levels = _levels(cases, rows, rounds=options.rounds, seconds=options.seconds)
        added = alternating(cases["echo"], cases["bare"], rows, times=options.times)
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "levels": levels,
        "client_adds": added,
    }
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(report.table(results))
    print(report.last_line(results))
    return 0 if report.holds(results) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    options = parser.parse_args(arguments)
    options.rounds, options.seconds, options.times = (1, 2.0, 200) if options.quick else (5, 6.0, 1000)
    return options


@contextmanager
def _deployed() -> Iterator[Place]:
    """Yield the reference project with a champion that answers; the local AWS is stopped again."""
    os.environ["FAIRWAY_LAMBDA_CONCURRENCY"] = LAMBDAS_AT_ONCE
    place = Place(FOLDER / "flights")
    try:
        if place.folder.exists():
            place.fairway("up")
        if not place.folder.exists() or place.fairway("status")["champion"] is None:
            released(place.folder)
        yield place
    finally:
        place.fairway("down")


def _rows() -> list[Row]:
    flights = sample(FOLDER / "data/flights-2013-05.csv", 200)
    return [{name: value for name, value in flight.items() if name != "late"} for flight in flights]


def _cases(place: Place) -> dict[str, Callable[[], Ask]]:
    """{name: what makes the way in which one client asks}: threads share Fairway's client, as in an application."""
    key = root_key(place.state)
    url = place.fairway("status")["api_url"]
    unthrottled(place.server["endpoint"], key, url)
    echo = echo_url(place.server["endpoint"], key)
    credentials = Credentials(key.access_key, key.secret_key)
    predicting, echoing = (Fairway(url=to, region=REGION, credentials=credentials) for to in (url, echo))
    return {
        "predict": lambda: predicting.predict,
        "echo": lambda: echoing.predict,
        "bare": lambda: Bare(f"{echo}/predictions", key, REGION).ask,
    }


def _levels(
    cases: dict[str, Callable[[], Ask]], rows: list[Row], *, rounds: int, seconds: float
) -> dict[str, dict[int, Level]]:
    """{case: {clients: medians over the rounds}}."""
    visits: dict[tuple[str, int], list[Level]] = {(case, clients): [] for case in cases for clients in CLIENTS}
    for number in range(rounds):
        order = list(visits)
        random.Random(number).shuffle(order)  # a busy minute of the machine hits no case alone
        for case, clients in order:
            level = measure(cases[case], rows, clients=clients, seconds=seconds)
            print(report.line(case, clients, level), file=sys.stderr, flush=True)
            visits[case, clients].append(level)
    return {case: {clients: _median(visits[case, clients]) for clients in CLIENTS} for case in cases}


def _median(levels: list[Level]) -> Level:
    return Level(
        requests=sum(level["requests"] for level in levels),
        failed=sum(level["failed"] for level in levels),
        p50_ms=statistics.median(level["p50_ms"] for level in levels),
        p99_ms=statistics.median(level["p99_ms"] for level in levels),
        per_second=statistics.median(level["per_second"] for level in levels),
    )


if __name__ == "__main__":
    sys.exit(main())
