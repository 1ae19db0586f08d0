"""How fast and in how much memory the container's verb `monitor` counts a window, beside pandas on the same rows.

A window is a file of generated answers of 20 features, linked as often as it takes: what is read, parsed and counted is
the same as if each had rows of its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from domain.watch import bins as bin_rules
from model_code.watch.answers import BLOCK_COLUMNS
from model_code.watch.counting import bins_of_column, count_column

NUMBERS, TEXTS = 15, 5
ROWS_A_FILE = 500_000
PANDAS_ROWS = 100_000  # of which pandas is told the rate: all of them take it minutes and gigabytes
RUN = dict.fromkeys(("start", "end", "as_of"), "2026-11-28T00:00:00Z") | {"run": "bench", "window": "2026-11-28"}


class Counted(NamedTuple):
    """Rows a second, and the most memory that the process held, in megabytes."""

    rows: int
    rows_per_second: float
    peak_mb: float
    pandas_rows_per_second: float


def count(rows: int, *, seed: int) -> Counted:
    """Count so many generated rows with the verb, in a process of its own, and a part of them with pandas."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        table = _answers(min(rows, ROWS_A_FILE), np.random.default_rng(seed))
        files = _write(base, table, rows)
        started = time.perf_counter()
        counts = _monitor(base)
        seconds = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        assert counts["rows"] == files * len(table), counts["set_aside"]
        return Counted(counts["rows"], counts["rows"] / seconds, peak_mb, _pandas(table.slice(0, PANDAS_ROWS)))


def _answers(rows: int, random: np.random.Generator) -> pa.Table:
    columns = {f"n{number}": random.normal(size=rows).round(4) for number in range(NUMBERS)}
    columns |= {f"c{number}": random.choice(list("abcdefghij"), size=rows) for number in range(TEXTS)}
    names, values = list(columns), zip(*(column.tolist() for column in columns.values()), strict=True)
    features = [json.dumps(dict(zip(names, row, strict=True))) for row in values]
    same = {"release": "r-1", "source": "model", "reason": "champion", "cause": None, "prediction": "true"}
    table = pa.table(
        {
            **{name: pa.repeat(pa.scalar(value, pa.string()), rows) for name, value in same.items()},
            "probability": random.uniform(size=rows),
            "latency_ms": random.lognormal(2.5, 0.4, size=rows),
            "features": features,
        }
    )
    return table.select(list(BLOCK_COLUMNS))


def _write(base: Path, table: pa.Table, rows: int) -> int:
    """Write the verb's inputs, and return how many files the window has."""
    settings, captured = (base / "processing/input" / name for name in ("contract", "captured"))
    settings.mkdir(parents=True)
    captured.mkdir()
    (settings / "run.json").write_text(json.dumps(RUN))
    (settings / "references.json").write_text(json.dumps({"r-1": _reference(table)}))
    pq.write_table(table, captured / "0.parquet", compression="gzip")
    files = max(1, rows // len(table))
    for number in range(1, files):
        os.link(captured / "0.parquet", captured / f"{number}.parquet")
    return files


def _reference(table: pa.Table) -> dict:
    sample = [json.loads(text) for text in table.column("features").slice(0, 20_000).to_pylist()]
    features = {name: _column([row[name] for row in sample]) for name in sample[0]}
    prediction = _column(table.column("probability").slice(0, 20_000).to_pylist())
    return {"rows": len(sample), "features": features, "prediction": prediction, "wrong": 1, "value_usd": None}


def _column(values: list) -> dict:
    array = pa.array(values)
    bins = bins_of_column(array)
    kind = "string" if pa.types.is_string(array.type) else "float"
    return {"type": kind, "bins": bin_rules.as_dict(bins), "counts": count_column(bins, array).tolist()}


def _monitor(base: Path) -> dict:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    subprocess.run([sys.executable, "-m", "model_code", "monitor"], env=environment, check=True, capture_output=True)
    return json.loads((base / "processing/output/counts/counts.json").read_text())


def _pandas(table: pa.Table) -> float:
    """Rows a second of the usual way: a frame of the parsed features, deciles cut and categories counted."""
    started = time.perf_counter()
    frame = pd.DataFrame.from_records(map(json.loads, table.column("features").to_pylist()))
    for name in frame:
        column = frame[name]
        (pd.cut(column, 10) if name.startswith("n") else column).value_counts()
    return len(frame) / (time.perf_counter() - started)
