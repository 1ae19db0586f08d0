"""score: shards of rows -> predictions and quarantine (Parquet), results for DynamoDB (JSON lines) and a summary for
each shard.

One thread reads and writes, the others check and score, block by block, so that memory stays bounded and the order is
the file's; nearly all of the work is done outside of the interpreter, so threads use every core. A shard's summary is
written last: a shard without one was not finished and is done again whole.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from model_code import paths
from model_code.artefact import unpack
from model_code.readers import FileRefused
from model_code.scoring import Job, flat, open_job
from model_code.settings import JobRefused, read_settings
from model_code.tables import QUARANTINE, Block, Checked, read_blocks

# Columns by name; of the quarantine's only the row number is among them. Rows share what is dictionary-coded; least and greatest
# are kept of what is asked for. Without Arrow's own schema in it, the file says that all texts are texts.
REPEATED = ["made_at", "run", "release", "role", "source", "reason"]
RANGES = ["row_number", "event_time", "probability"]
PARQUET = {
    "compression": "zstd",
    "use_dictionary": REPEATED,
    "column_encoding": {"row_number": "DELTA_BINARY_PACKED", "probability": "BYTE_STREAM_SPLIT"},
    "write_statistics": RANGES,
    "write_batch_size": 32_768,
    "store_schema": False,
}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # once the few blocks under way are done
    settings = read_settings(paths.processing_input("contract"))
    shards = find_shards(paths.processing_input("rows"))
    shutil.rmtree(paths.unfinished(), ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        model = model_folder(Path(scratch))
        job = open_job(settings, model, paths.unfinished())
        with ThreadPoolExecutor(cores()) as pool:
            refused = score_shards(job, shards, paths.processing_outputs(), pool)
    if refused:
        raise JobRefused(f"{len(refused)} of {len(shards)} shards are refused: " + "; ".join(map(str, refused)))


def model_folder(scratch: Path) -> Path | None:
    """The artefact to score with; None before the first release."""
    files = sorted(paths.processing_input("model").rglob("model.tar.gz"))
    return unpack(files[0], scratch / "model") if files else None


def find_shards(folder: Path) -> dict[str, Path]:
    """{shard: file}; a shard is named by its place under input/rows."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if not files:
        raise JobRefused(f"no file to score is under {folder}")
    return {file.relative_to(folder).as_posix(): file for file in files}


def cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---- shards


def score_shards(job: Job, shards: dict[str, Path], output: Path, pool) -> list[FileRefused]:
    """Scores every shard that has no summary yet; the shards that could not be read."""
    todo = {shard: file for shard, file in shards.items() if not summary_file(output, shard).exists()}
    writers, refused = {}, []
    for shard, found in in_order(job, pool, blocks(job, todo)):
        if isinstance(found, FileRefused):
            refused.append(found)
            writers.pop(shard, ShardWriter(job, output, shard)).discard()
        elif found is None:
            writers.pop(shard).close()
        else:
            writers.setdefault(shard, ShardWriter(job, output, shard)).write(*found)
    return refused


def blocks(job: Job, shards: dict[str, Path]) -> Iterator[tuple[str, Block | FileRefused | None]]:
    """(shard, block), then (shard, None) at its end or (shard, why) when the file turns out to be unusable."""
    for shard, file in shards.items():
        try:
            for block in read_blocks(file, job.contract, with_target=False, coded=True):
                yield shard, block
            yield shard, None
        except FileRefused as error:
            yield shard, error


def in_order(job: Job, pool: ThreadPoolExecutor, tasks: Iterator[tuple]) -> Iterator[tuple]:
    """(shard, what became of each task), in the order of the tasks; a few blocks are under way at once."""
    ahead, most = deque(), 2 * cores()
    for shard, task in tasks:
        ahead.append((shard, pool.submit(job.score, shard, task) if isinstance(task, Block) else task))
        if len(ahead) > most:
            yield finished(*ahead.popleft())
    while ahead:
        yield finished(*ahead.popleft())


def finished(shard: str, task) -> tuple:
    return shard, task.result() if isinstance(task, Future) else task


def summary_file(output: Path, shard: str) -> Path:
    return output / "summary" / f"{flat(shard)}.json"


class ShardWriter:
    """Collects one shard's blocks in files, and counts; nothing of a shard is among the outputs before it is whole."""

    def __init__(self, job: Job, output: Path, shard: str):
        self.job, self.output, self.shard = job, output, shard
        self.counts, self.reasons, self.writers = Counter(), Counter(), {}

    def write(self, checked: Checked, predictions: pa.RecordBatch) -> None:
        self.append("predictions", self.job.predictions_schema, predictions)
        if len(checked.quarantined):
            self.append("quarantine", QUARANTINE, checked.quarantined)
        scored, quarantined = len(checked.accepted), len(checked.quarantined)
        chunks = self.job.chunks(scored)
        self.counts.update(read=scored + quarantined, scored=scored, quarantined=quarantined, chunks=chunks)
        self.reasons += checked.reasons

    def append(self, folder: str, schema: pa.Schema, batch: pa.RecordBatch) -> None:
        if folder not in self.writers:
            file = self.job.folder(self.shard) / folder / f"{flat(self.shard)}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            self.writers[folder] = pq.ParquetWriter(file, schema, **PARQUET)
        self.writers[folder].write_batch(batch)

    def close(self) -> None:
        """Everything goes to its place, the summary last."""
        for writer in self.writers.values():
            writer.close()
        folder = self.job.folder(self.shard)
        counts = {name: self.counts[name] for name in ("read", "scored", "quarantined", "chunks")}
        summary = {"shard": self.shard, "release": self.job.release, **counts, "reasons": dict(self.reasons)}
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            move(file, self.output / file.relative_to(folder))
        (folder / "summary.json").write_text(json.dumps(summary))
        move(folder / "summary.json", summary_file(self.output, self.shard))
        shutil.rmtree(folder)
        print(json.dumps({"event": "shard", **summary}), flush=True)

    def discard(self) -> None:
        for writer in self.writers.values():
            writer.close()
        shutil.rmtree(self.job.folder(self.shard), ignore_errors=True)


def move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
