"""`python -m bench.serving`: one JSON row over HTTP, Fairway's serve against what people use instead, interleaved.

Every server's answers are compared with scikit-learn's before it is timed. Prints a table of medians and, last, one
line of ratios; writes results.json here and the plot of docs/performance.md.
"""

import argparse
import json
import os
import random
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.serving import load, plot, report, table
from bench.serving.processes import Running
from bench.serving.servers import APPS, FOLDER, ROOT, SERVERS, Server, install, prepare, usable_rows

CONCURRENCY = (8, 64)
CHECKED_ROWS = 30
SAME_WITHIN = 1e-9
FULL = ["fairway", "two", "echo", "uvicorn", "granian", "flask", "mlflow", "bentoml", "mlserver", "fastapi"]
QUICK = ["fairway", "echo", "flask", "fastapi"]
RESULTS = Path(__file__).parent / "results.json"
PLOT = ROOT / "docs" / "serving.svg"


class AnswersDiffer(Exception):
    """A server and scikit-learn do not say the same, so its speed says nothing."""


def main() -> None:
    options = parse(sys.argv[1:])
    install(options.servers)
    table.make(FOLDER)
    prepare(options.servers)
    rows, expected = (json.loads((FOLDER / name).read_text()) for name in ("rows.json", "expected.json"))
    visits = []
    for number in range(options.rounds):
        names = list(options.servers)
        random.Random(number).shuffle(names)  # interleaved: a busy minute of the machine hits no server alone
        for name in names:
            visits.append(
                {"server": name, "round": number, **visit(SERVERS[name], rows, expected, seconds=options.seconds)}
            )
            print(report.line(SERVERS[name].name, visits[-1]), file=sys.stderr, flush=True)
    results = summary(visits, options)
    print(report.text(results))
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PLOT.write_text(plot.svg(results))
    print(report.ratios_line(results))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__.split("\n\n")[1])
    parser.add_argument("--quick", action="store_true", help="one short round on two peers; writes nothing")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of load at each concurrency")
    parser.add_argument("--servers", type=lambda text: text.split(","), help=f"some of {','.join(SERVERS)}")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.servers = options.servers or (QUICK if options.quick else FULL)
    return options


def visit(server: Server, rows: list[dict], expected: list[float], *, seconds: float) -> dict:
    """Starts it, compares its answers, loads it at each concurrency and ends it."""
    usable = usable_rows(server, rows)
    bodies = FOLDER / "bodies.jsonl"
    bodies.write_text("".join(json.dumps(server.encode(rows[place]), separators=(",", ":")) + "\n" for place in usable))
    running = Running(server, variables={"BENCH_MODEL": str(FOLDER)}, folder=APPS, log=FOLDER / "server.log")
    try:
        figures = {"start_s": running.wait_for_answer(json.dumps(server.encode(rows[usable[0]])).encode())}
        if server.kind != "limit":
            checked = usable[:CHECKED_ROWS]
            difference = running.largest_difference([rows[at] for at in checked], [expected[at] for at in checked])
            if difference > SAME_WITHIN:
                raise AnswersDiffer(f"{server.name}'s answers differ by {difference} from scikit-learn's")
            figures["largest_difference"] = difference
        load.measure(running.port, server.path, bodies, connections=8, seconds=1)  # warm
        for connections in CONCURRENCY:
            figures[f"c{connections}"] = loaded(running, bodies, connections, seconds)
        figures["memory_mb"] = running.memory_mb()
        return figures
    finally:
        running.stop()


def loaded(running: Running, bodies: Path, connections: int, seconds: float) -> dict:
    before = running.processor_seconds()
    figures = load.measure(running.port, running.server.path, bodies, connections=connections, seconds=seconds)
    spent = running.processor_seconds() - before
    answered = figures["requests"] - figures["failed"]
    rates = {"per_second": answered / figures["seconds"], "cpu_us": 1e6 * spent / max(answered, 1)}
    return {**rates, "p50_ms": figures["p50_ms"], "p99_ms": figures["p99_ms"], "failed": figures["failed"]}


def summary(visits: list[dict], options: argparse.Namespace) -> dict:
    """Medians over the rounds, with the least and the most of each."""
    machine = {"cores": os.cpu_count(), "load_average": os.getloadavg()[0], "python": sys.version.split()[0]}
    servers = {}
    for name in options.servers:
        own = [one for one in visits if one["server"] == name]
        levels = {
            f"c{c}": {key: spread([one[f"c{c}"][key] for one in own]) for key in own[0][f"c{c}"]} for c in CONCURRENCY
        }
        whole = {
            key: spread([one[key] for one in own])
            for key in ("start_s", "memory_mb", "largest_difference")
            if key in own[0]
        }
        servers[name] = {
            "name": SERVERS[name].name,
            "kind": SERVERS[name].kind,
            "packages": SERVERS[name].packages,
            **whole,
            **levels,
        }
    results = {"date": datetime.now(UTC).date().isoformat(), "machine": machine, "load_by": load.generator()}
    results |= {"rounds": options.rounds, "seconds": options.seconds, "servers": servers}
    return {**results, "ratios": report.ratios(servers)}


def spread(values: list[float]) -> dict:
    return {name: round(of(values), 6) for name, of in (("median", statistics.median), ("least", min), ("most", max))}


if __name__ == "__main__":
    main()
