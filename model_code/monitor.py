"""monitor: the captured answers of a window -> counts.json, by release, in the bins of each release's reference.

One thread reads, the others count, block by block, so that memory stays bounded however much was captured. A file that
cannot be read to its end is set aside and counts nothing; everything else of the window counts all the same.
"""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum, auto
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.watch.counts import SetAside, WindowCounts
from model_code import paths
from model_code.settings import read_json, read_watch_run
from model_code.watch.answers import BLOCK_COLUMNS, FEW_TEXTS, Tallies, Yardstick, add_all, count_block, counts_of

BLOCK_ROWS = 16_384
_LONGEST_REASON = 300


class _End(Enum):
    OF_FILE = auto()


_Counted = tuple[Path, Future[Tallies] | _End | OSError | pa.ArrowException]


def main() -> None:
    settings = paths.processing_input("contract")
    run = read_watch_run(settings)
    references = read_json(settings / "references.json")
    yardsticks = {release: Yardstick(reference) for release, reference in references.items()}
    folder = paths.processing_input("captured")
    files = sorted(file for file in folder.rglob("*.parquet") if file.is_file())
    tallies, set_aside = _count_files(files, folder, yardsticks)
    counts: WindowCounts = {
        "window": run["window"],
        "start": run["start"],
        "end": run["end"],
        "as_of": run["as_of"],
        "rows": sum(tally.rows for tally in tallies.values()),
        "unparsed": sum(tally.unparsed for tally in tallies.values()),
        "set_aside": set_aside,
        "releases": {release: counts_of(tally, yardsticks.get(release)) for release, tally in sorted(tallies.items())},
    }
    output = paths.processing_output("counts")
    output.mkdir(parents=True, exist_ok=True)
    (output / "counts.json").write_text(json.dumps(counts, indent=1, sort_keys=True, allow_nan=False))
    print(json.dumps({"event": "window", "window": run["window"], "rows": counts["rows"], "files": len(files)}))


def _count_files(
    files: list[Path], folder: Path, yardsticks: Mapping[str, Yardstick]
) -> tuple[Tallies, list[SetAside]]:
    """Count every file, and name those that cannot be read by their place below the folder."""
    total: Tallies = {}
    aside: list[SetAside] = []
    with ThreadPoolExecutor(_cores()) as pool:
        of_file: Tallies = {}
        for file, result in _in_order(pool, files, yardsticks):
            if isinstance(result, Future):
                add_all(of_file, result.result())
                continue
            if result is _End.OF_FILE:
                add_all(total, of_file)
            else:
                reason = f"{type(result).__name__}: {result}"[:_LONGEST_REASON]
                aside.append({"key": file.relative_to(folder).as_posix(), "reason": reason})
            of_file = {}
    return total, aside


def _in_order(pool: ThreadPoolExecutor, files: list[Path], yardsticks: Mapping[str, Yardstick]) -> Iterator[_Counted]:
    """Yield the counts of each block and the end of each file, in order; a few blocks are under way at once."""
    ahead: deque[_Counted] = deque()
    for file in files:
        try:
            for block in _blocks(file):
                ahead.append((file, pool.submit(count_block, block, yardsticks)))
                if len(ahead) > 2 * _cores():
                    yield ahead.popleft()
            ahead.append((file, _End.OF_FILE))
        except (OSError, pa.ArrowException) as error:  # truncated, damaged, or no Parquet
            ahead.append((file, error))
    yield from ahead


def _blocks(file: Path) -> Iterator[pa.RecordBatch]:
    if missing := set(BLOCK_COLUMNS) - set(pq.read_schema(file).names):
        raise pa.ArrowInvalid(f"it has no {', '.join(sorted(missing))}")
    with pq.ParquetFile(file, read_dictionary=list(FEW_TEXTS), pre_buffer=False) as parquet:
        yield from parquet.iter_batches(BLOCK_ROWS, columns=list(BLOCK_COLUMNS), use_threads=False)


def _cores() -> int:
    """Count the cores that this process may use, where the system reports them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
