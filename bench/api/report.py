"""What a run of the benchmark found: a line, a table, and the figures beside their limit."""

from typing import Any

from bench.api.load import Level

CASES = {"predict": "predict, Fairway's client", "echo": "echo, Fairway's client", "bare": "echo, bare connection"}
MOST_ADDED_MS = 1.0  # by the client over a bare connection, where nothing else on the machine held it up
HEADINGS = ("asked", "clients", "p50 ms", "p99 ms", "requests/s", "failed")
Results = dict[str, Any]  # as results.json has them


def line(case: str, clients: int, level: Level) -> str:
    times = f"p50 {level['p50_ms']:.2f} p99 {level['p99_ms']:.2f} ms"
    return f"{CASES[case]:28} {clients:>2} clients: {times}, {level['per_second']:,.0f}/s, failed {level['failed']}"


def table(results: Results) -> str:
    """A Markdown table."""
    rows = [
        (
            CASES[case],
            str(clients),
            f"{level['p50_ms']:.1f}",
            f"{level['p99_ms']:.1f}",
            f"{level['per_second']:,.0f}",
            str(level["failed"]),
        )
        for case, levels in results["levels"].items()
        for clients, level in levels.items()
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [HEADINGS, ("---",) * len(HEADINGS), *rows])


def last_line(results: Results) -> str:
    levels = results["levels"]
    clients = " and ".join(", ".join(map(str, levels["predict"])).rsplit(", ", 1))
    told = [
        f"{case} {' '.join(_pair(level) for level in levels[case].values())}" for case in ("predict", "echo", "bare")
    ]
    added, verdict = results["client_adds"], "holds" if holds(results) else "BROKEN"
    return (
        f"p50/p99 ms at {clients} clients: {', '.join(told)}; the client adds {added['quick']:.2f} ms "
        f"(at most {MOST_ADDED_MS:g}; median {added['median']:.2f}, of processor {added['processor']:.2f}); "
        f"{failed(results)} requests failed, load average {results['machine']['load_average']}: {verdict}"
    )


def _pair(level: Level) -> str:
    return f"{level['p50_ms']:.1f}/{level['p99_ms']:.1f}"


def failed(results: Results) -> int:
    return sum(level["failed"] for levels in results["levels"].values() for level in levels.values())


def holds(results: Results) -> bool:
    return bool(results["client_adds"]["quick"] <= MOST_ADDED_MS) and failed(results) == 0
