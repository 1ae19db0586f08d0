"""`python -m bench.batch`: from a file of flights to all outputs of the score job, against pandas and predict_proba.

The answers are compared bit for bit before anything counts, the rounds are interleaved, and the last line is one of
ratios; `results.json` is written here.
"""

import argparse
import json
import os
import random
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.batch import flights, jobs, report
from bench.batch.store import LocalTable

FOLDER = flights.ROOT / "build/bench/batch"
RESULTS = Path(__file__).parent / "results.json"


class AnswersDiffer(Exception):
    """The score job and scikit-learn do not say the same, so their speeds say nothing."""


def main() -> None:
    options = parse(sys.argv[1:])
    flights.make(FOLDER)
    rows = {kind: flights.repeated(FOLDER, options.rows, kind) for kind in ("parquet", "csv")}
    works = {
        "fairway": lambda: jobs.score(FOLDER, rows["parquet"]),
        "fairway, Parquet only": lambda: jobs.score(FOLDER, rows["parquet"], store=False),
        "pandas": lambda: jobs.predict(FOLDER, rows["parquet"]),
        "fairway, CSV": lambda: jobs.score(FOLDER, rows["csv"]),
    }
    compared = compare(works, options.rows)
    found = _in_rounds(works, options.rounds)
    found["fairway, many rows"] = [jobs.score(FOLDER, flights.repeated(FOLDER, options.most_rows, "parquet"))]
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": sys.version.split()[0]},
        "rows": options.rows,
        "most_rows": options.most_rows,
        "rounds": options.rounds,
        "equal_answers": compared,
        "jobs": {name: summary(visits) for name, visits in found.items()},
        "write_results": summary(written(options)),
    }
    results["ratios"] = report.ratios(results)
    print(report.text(results))
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(report.ratios_line(results["ratios"]))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of fewer rows; writes nothing")
    parser.add_argument("--rows", type=int, help="in the file that both score")
    parser.add_argument("--most-rows", type=int, help="in the file that shows the memory")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args(arguments)
    options.rows = options.rows or (300_000 if options.quick else 2_000_000)
    options.most_rows = options.most_rows or (1_000_000 if options.quick else 10_000_000)
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def compare(works: dict, rows: int) -> int:
    """How many rows have the same key in the same place, and the same probability to the last bit: all of them."""
    works["pandas"]()
    theirs = pq.read_table(FOLDER / "peer.parquet")
    keys, wanted = theirs["flight_id"].cast(pa.string()), theirs["probability"]
    for name in ("fairway", "fairway, Parquet only", "fairway, CSV"):
        works[name]()
        ours = jobs.predictions_of(FOLDER)
        if not ours["entity_id"].equals(keys) or not ours["probability"].equals(wanted) or len(ours) != rows:
            raise AnswersDiffer(f"{name} and {FOLDER / 'peer.parquet'}: keys, their order or probabilities")
    return rows


def _in_rounds(works: dict, rounds: int) -> dict[str, list[dict]]:
    seconds_by_work = {name: [] for name in works}
    for number in range(rounds):
        names = list(works)
        random.Random(number).shuffle(names)  # interleaved: a busy minute of the machine hits no side alone
        for name in names:
            seconds_by_work[name].append(works[name]())
            print(f"{name}: {report.short(seconds_by_work[name][-1])}", file=sys.stderr, flush=True)
    return seconds_by_work


def written(options: argparse.Namespace) -> list[dict]:
    """Two files of results at a time, by one function, into the local table."""
    files = jobs.results_of(FOLDER)[: 2 * options.rounds]
    table = LocalTable(FOLDER)
    try:
        return [table.write(files[start : start + 2]) for start in range(0, len(files), 2)]
    finally:
        table.stop()


def summary(visits: list[dict]) -> dict:
    """Of each figure the median of the rounds, with the least and the most."""
    spreads = (("median", statistics.median), ("least", min), ("most", max))
    return {key: {name: round(of([one[key] for one in visits]), 4) for name, of in spreads} for key in visits[0]}


if __name__ == "__main__":
    main()
