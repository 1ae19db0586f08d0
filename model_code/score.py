"""score: shards of rows -> predictions and quarantine (Parquet), results for DynamoDB (JSON lines) and a summary for
each shard.

One process reads and checks, the others score, block by block, so that memory stays bounded and the order is the
file's. A shard's summary is written last: a shard without one was not finished and is done again whole.
"""

import json
import os
import signal
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from model_code import paths
from model_code.artefact import unpack
from model_code.readers import FileRefused
from model_code.scoring import Job, flat, open_job, score_in_worker, start_worker
from model_code.settings import JobRefused, read_settings
from model_code.tables import QUARANTINE, Checked, read_table

SMALL_BYTES = 8 << 20  # less than this is scored sooner than a second process starts


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the pool's processes with this one
    settings = read_settings(paths.processing_input("contract"))
    shards = find_shards(paths.processing_input("rows"))
    with tempfile.TemporaryDirectory() as scratch:
        model = model_folder(Path(scratch))
        job = open_job(settings, model, paths.processing_output("results"))
        with pool_for(shards, settings, model) as pool:
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


def pool_for(shards: dict[str, Path], settings, model: Path | None):
    workers = len(os.sched_getaffinity(0))
    if workers == 1 or sum(file.stat().st_size for file in shards.values()) < SMALL_BYTES:
        return nullcontext()
    arguments = (settings, model, paths.processing_output("results"))
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=start_worker, initargs=arguments)


# ---- shards


def score_shards(job: Job, shards: dict[str, Path], output: Path, pool) -> list[FileRefused]:
    """Scores every shard that has no summary yet; the shards that could not be read."""
    todo = {shard: file for shard, file in shards.items() if not summary_file(output, shard).exists()}
    writers, refused = {}, []
    for shard, checked, predictions in in_order(job, pool, blocks(job, todo)):
        if isinstance(checked, FileRefused):
            refused.append(checked)
            writers.pop(shard, ShardWriter(job, output, shard)).discard()
        elif checked is None:
            writers.pop(shard).close()
        else:
            writers.setdefault(shard, ShardWriter(job, output, shard)).write(checked, predictions)
    return refused


Block = tuple[str, Checked | FileRefused | None]


def blocks(job: Job, shards: dict[str, Path]) -> Iterator[Block]:
    """(shard, checked block), then (shard, None) at its end or (shard, why) when the file turns out to be unusable."""
    for shard, file in shards.items():
        try:
            for checked in read_table(file, job.contract, with_target=False):
                yield shard, checked
            yield shard, None
        except FileRefused as error:
            yield shard, error


def in_order(job: Job, pool, tasks: Iterator[Block]) -> Iterator[tuple]:
    """Each task with its predictions, in the order of the tasks; a few blocks are under way at once."""
    if pool is None:
        for shard, checked in tasks:
            scored = isinstance(checked, Checked)
            yield shard, checked, job.score(shard, checked.accepted, checked.row_numbers) if scored else None
        return
    ahead, most = deque(), 2 * len(os.sched_getaffinity(0))
    for shard, checked in tasks:
        future = (
            pool.submit(score_in_worker, shard, checked.accepted, checked.row_numbers)
            if isinstance(checked, Checked)
            else None
        )
        ahead.append((shard, checked, future))
        if len(ahead) > most:
            yield finished(*ahead.popleft())
    while ahead:
        yield finished(*ahead.popleft())


def finished(shard: str, checked, future) -> tuple:
    return shard, checked, future and future.result()


def summary_file(output: Path, shard: str) -> Path:
    return output / "summary" / f"{flat(shard)}.json"


class ShardWriter:
    """Collects one shard's blocks in files, and counts."""

    def __init__(self, job: Job, output: Path, shard: str):
        self.job, self.output, self.shard = job, output, shard
        self.counts, self.reasons, self.writers = Counter(), Counter(), {}

    def write(self, checked: Checked, predictions: pa.RecordBatch) -> None:
        self.append("predictions", self.job.predictions_schema, predictions)
        if len(checked.quarantined):
            self.append("quarantine", QUARANTINE, checked.quarantined)
        scored, quarantined = len(checked.accepted), len(checked.quarantined)
        self.counts.update(
            read=scored + quarantined, scored=scored, quarantined=quarantined, chunks=self.job.chunks(scored)
        )
        self.reasons += checked.reasons

    def append(self, folder: str, schema: pa.Schema, batch: pa.RecordBatch) -> None:
        if folder not in self.writers:
            self.file(folder).parent.mkdir(parents=True, exist_ok=True)
            self.writers[folder] = pq.ParquetWriter(self.file(folder), schema, compression="zstd")
        self.writers[folder].write_batch(batch)

    def file(self, folder: str) -> Path:
        return self.output / folder / f"{flat(self.shard)}.parquet"

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()
        counts = {name: self.counts[name] for name in ("read", "scored", "quarantined", "chunks")}
        summary = {"shard": self.shard, "release": self.job.release, **counts, "reasons": dict(self.reasons)}
        file = summary_file(self.output, self.shard)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(summary))
        unfinished.replace(file)
        print(json.dumps({"event": "shard", **summary}), flush=True)

    def discard(self) -> None:
        """The shard counts for nothing; neither do its results."""
        for folder, writer in self.writers.items():
            writer.close()
            self.file(folder).unlink()
        for file in (self.output / "results").glob(f"{flat(self.shard)}-*.jsonl.gz"):
            file.unlink()
