"""What a run of the serving benchmark found: a table, and the ratios it is held to."""

HEADINGS = (
    "server",
    "start s",
    "MB",
    "req/s c=8",
    "p50 ms",
    "p99 ms",
    "cpu us",
    "req/s c=64",
    "p50 ms",
    "p99 ms",
    "cpu us",
)


def line(name: str, visit: dict) -> str:
    """One visit, for the terminal while the run goes on."""
    levels = "  ".join(f"{level}: {_level_line(visit[level])}" for level in ("c8", "c64"))
    return f"{name:24} start {visit['start_s']:.2f} s  {visit['memory_mb']:.0f} MB  {levels}"


def _level_line(level: dict) -> str:
    times = f"p50 {level['p50_ms']:.2f} p99 {level['p99_ms']:.2f} ms cpu {level['cpu_us']:,.0f} us"
    return f"{level['per_second']:,.0f}/s {times} failed {level['failed']}"


def text(results: dict) -> str:
    """A Markdown table of medians, the spread of requests/s in brackets."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(cells(server) for server in _by_speed(results["servers"]))]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _by_speed(servers: dict) -> list[dict]:
    return sorted(servers.values(), key=lambda server: server["c8"]["per_second"]["median"])


def cells(server: dict) -> tuple[str, ...]:
    levels = [cell for level in ("c8", "c64") for cell in _level_cells(server[level])]
    return server["name"], f"{server['start_s']['median']:.2f}", f"{server['memory_mb']['median']:.0f}", *levels


def _level_cells(level: dict) -> list[str]:
    rate = level["per_second"]
    speed = f"{rate['median']:,.0f} ({rate['least']:,.0f}-{rate['most']:,.0f})"
    return [
        speed,
        f"{level['p50_ms']['median']:.2f}",
        f"{level['p99_ms']['median']:.2f}",
        f"{level['cpu_us']['median']:,.0f}",
    ]


def ratios(servers: dict) -> dict:
    """Ours over theirs, from medians of one interleaved run. `cpu` ratios are of processor time a request, which other
    processes on the machine change least."""
    own, echo = servers["fairway"], servers.get("echo")
    peers = {name: server for name, server in servers.items() if server["kind"] == "peer"}
    ratios = {"start_s": own["start_s"]["median"], "memory_mb": own["memory_mb"]["median"]}
    for level in ("c8", "c64"):
        for name, other in {**peers, **({"echo": echo} if echo else {})}.items():
            ratios[f"{name}_{level}"] = median(own, level, "per_second") / median(other, level, "per_second")
            ratios[f"{name}_{level}_cpu"] = median(other, level, "cpu_us") / median(own, level, "cpu_us")
    if peers:
        best = min(median(peer, "c8", "p50_ms") for peer in peers.values())
        ratios["p99_of_best_p50"] = median(own, "c8", "p99_ms") / best
    return {name: round(value, 4) for name, value in ratios.items()}


def median(server: dict, level: str, key: str) -> float:
    return server[level][key]["median"]


def ratios_line(results: dict) -> str:
    ratios = results["ratios"]
    peers = [name for name, server in results["servers"].items() if server["kind"] == "peer"]
    said = [f"{name} x{ratios[f'{name}_c8']:,.0f} and x{ratios[f'{name}_c64']:,.0f}" for name in peers]
    said += [f"{name} cpu x{ratios[f'{name}_c8_cpu']:,.0f} and x{ratios[f'{name}_c64_cpu']:,.0f}" for name in peers]
    if "echo_c8" in ratios:
        said.append(f"of the echo limit {ratios['echo_c8']:.0%} and {ratios['echo_c64']:.0%}")
        said.append(f"cpu {ratios['echo_c8_cpu']:.0%} and {ratios['echo_c64_cpu']:.0%}")
    if peers:
        said.append(f"p99 = 1/{1 / ratios['p99_of_best_p50']:.0f} of the best peer's p50")
    said += [f"start {ratios['start_s']:.2f} s", f"memory {ratios['memory_mb']:.0f} MB"]
    return "ratios at 8 and 64 connections: " + ", ".join(said)
