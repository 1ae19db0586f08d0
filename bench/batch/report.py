"""What a run of the batch benchmark found: a table, and the ratios it is held to."""

HEADINGS = ("what", "rows", "seconds", "rows/s", "CPU s", "CPU us a row", "memory MB")


def short(visit: dict) -> str:
    return f"{visit['seconds']:.2f} s, {visit['cpu_s']:.2f} CPU s, {visit['memory_mb']:.0f} MB"


def text(results: dict) -> str:
    """A Markdown table of medians, the spread of the seconds in brackets."""
    rows = [HEADINGS, ("---",) * len(HEADINGS)]
    rows += [cells(name, job, rows_of(results, name)) for name, job in results["jobs"].items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in [*rows, _written_cells(results["write_results"])])


def rows_of(results: dict, name: str) -> int:
    return results["most_rows" if "many" in name else "rows"]


def cells(name: str, job: dict, rows: int) -> tuple[str, ...]:
    seconds, cpu = job["seconds"], job["cpu_s"]["median"]
    took = f"{seconds['median']:.2f} ({seconds['least']:.2f}-{seconds['most']:.2f})"
    rate, memory = rows / seconds["median"], job["memory_mb"]["most"]
    return name, f"{rows:,}", took, f"{rate:,.0f}", f"{cpu:.2f}", f"{1e6 * cpu / rows:.2f}", f"{memory:.0f}"


def _written_cells(results: dict) -> tuple[str, ...]:
    rows, seconds = results["rows"]["median"], results["seconds"]
    took = f"{seconds['median']:.2f} ({seconds['least']:.2f}-{seconds['most']:.2f})"
    own, server = (results[key]["median"] for key in ("cpu_s", "server_cpu_s"))
    cpu = f"{1e6 * own / rows:.0f} + {1e6 * server / rows:.0f} of the server"
    return "write_results", f"{rows:,.0f}", took, f"{rows / seconds['median']:,.0f}", f"{own + server:.2f}", cpu, ""


def ratios(results: dict) -> dict:
    """Ours over theirs, from the medians of one interleaved run."""
    names = ("fairway", "fairway, Parquet only", "fairway, CSV", "fairway, many rows", "pandas")
    own, only, csv, many, peer = (results["jobs"][name] for name in names)
    rows, stored = results["rows"], results["write_results"]
    return {
        "faster": round(peer["seconds"]["median"] / own["seconds"]["median"], 2),
        "faster_parquet_only": round(peer["seconds"]["median"] / only["seconds"]["median"], 2),
        "less_cpu_parquet_only": round(peer["cpu_s"]["median"] / only["cpu_s"]["median"], 2),
        "less_cpu": round(peer["cpu_s"]["median"] / own["cpu_s"]["median"], 2),
        "rows_per_second": round(rows / own["seconds"]["median"]),
        "rows_per_second_many": round(results["most_rows"] / many["seconds"]["median"]),
        "csv_rows_per_second": round(rows / csv["seconds"]["median"]),
        "memory_mb": max(job["memory_mb"]["most"] for job in (own, csv, many)),
        "written_per_second": round(stored["rows"]["median"] / stored["seconds"]["median"]),
    }


def ratios_line(results: dict) -> str:
    return (
        f"ratios: pandas + predict_proba x{results['faster']:.1f} (CPU x{results['less_cpu']:.1f}), "
        f"Parquet only x{results['faster_parquet_only']:.1f} (CPU "
        f"x{results['less_cpu_parquet_only']:.1f}), {results['rows_per_second']:,} rows/s, "
        f"many rows {results['rows_per_second_many']:,} rows/s, CSV {results['csv_rows_per_second']:,} rows/s, "
        f"write_results {results['written_per_second']:,} rows/s, memory at most {results['memory_mb']:.0f} MB"
    )
