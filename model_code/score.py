"""score: shards of rows -> predictions and quarantine (Parquet), results for DynamoDB (JSON lines) and a summary, for each
segment of a shard.

One thread reads and writes, the others check and score, block by block, so that memory stays bounded and the order is
the file's; nearly all of the work is done outside of the interpreter, so threads use every core. A segment's files appear
when it is whole, its summary last. SIGTERM ends the segments under way where they are, and a job that is started again goes
on behind the last segment that is there.
"""

import glob
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.segments import flat, next_row, segment_name
from model_code import paths
from model_code.artefact import unpack
from model_code.readers import FileRefused
from model_code.scoring import Job, open_job
from model_code.settings import JobRefused, read_progress, read_settings
from model_code.tables import QUARANTINE, Block, Checked, read_blocks

SEGMENT_BLOCKS = 16  # a million rows of Parquet, 64 MB of CSV: about a second of work
STOPPED = 143  # as the shell says of a process that SIGTERM ended

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
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = read_settings(paths.processing_input("contract"))
    progress = read_progress(paths.processing_input("contract"))
    shards = find_shards(paths.processing_input("rows"))
    shutil.rmtree(paths.unfinished(), ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        model = model_folder(Path(scratch))
        job = open_job(settings, model, paths.unfinished())
        with ThreadPoolExecutor(cores()) as pool:
            refused = score_shards(job, shards, paths.processing_outputs(), pool, progress=progress, stopping=stopping)
    if stopping.is_set():
        sys.exit(STOPPED)
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

MORE, END = "more", "end"  # of a shard, where a segment of it is whole


def score_shards(
    job: Job, shards: dict[str, Path], output: Path, pool, *, progress: dict[str, int], stopping: threading.Event
) -> list[FileRefused]:
    """Scores what is in no segment yet, until `stopping`; the shards that could not be read. `progress` tells of shards that
    an earlier job began elsewhere: {flat name: first row that is not scored}.
    """
    begin = {shard: row for shard in shards if (row := first_row(output, shard, progress)) is not None}
    segments, refused = {}, []
    for place, found in in_order(job, pool, blocks(job, {shard: (shards[shard], row) for shard, row in begin.items()}, stopping)):
        segment = segments.pop(place, None) or Segment(job, output, *place)
        if isinstance(found, FileRefused):
            refused.append(found)
            segment.discard()
        elif found in (MORE, END):
            segment.close(last=found == END)
        else:
            segment.write(*found)
            segments[place] = segment
    return refused


def first_row(output: Path, shard: str, progress: dict[str, int]) -> int | None:
    """The first row to score; None where all are."""
    files = (output / "summary").glob(f"{glob.escape(flat(shard))}-*.json")
    found = (json.loads(file.read_bytes()) for file in files)
    return next_row((one for one in found if one["shard"] == shard), start=progress.get(flat(shard), 1))


def blocks(job: Job, shards: dict[str, tuple[Path, int]], stopping: threading.Event) -> Iterator[tuple]:
    """((shard, first row of a segment), block) from the row that each shard begins with; then, with the same place, MORE where
    the segment ends and END where the shard does, or why the file turns out to be unusable.
    """
    for shard, (file, begin) in shards.items():
        place, taken = (shard, begin), 0
        try:
            for block in read_blocks(file, job.contract, with_target=False, coded=True):
                if stopping.is_set():
                    break
                if not (block := behind(block, begin)):
                    continue
                yield place, block
                taken, begin = taken + 1, block.first_row + len(block.rows)
                if taken % SEGMENT_BLOCKS == 0:
                    yield place, MORE
                    place = (shard, begin)
            if not stopping.is_set():
                yield place, END
            elif taken % SEGMENT_BLOCKS:
                yield place, MORE
        except FileRefused as error:
            yield place, error
        if stopping.is_set():
            return


def behind(block: Block, begin: int) -> Block | None:
    """The rows of a block from the row `begin` on."""
    done = begin - block.first_row
    if done <= 0:
        return block
    return block._replace(rows=block.rows[done:], first_row=begin) if done < len(block.rows) else None


def in_order(job: Job, pool: ThreadPoolExecutor, tasks: Iterator[tuple]) -> Iterator[tuple]:
    """(place, what became of each task), in the order of the tasks; a few blocks are under way at once."""
    ahead, most = deque(), 2 * cores()
    for place, task in tasks:
        ahead.append((place, pool.submit(job.score, *place, task) if isinstance(task, Block) else task))
        if len(ahead) > most:
            yield finished(*ahead.popleft())
    while ahead:
        yield finished(*ahead.popleft())


def finished(place: tuple[str, int], task) -> tuple:
    return place, task.result() if isinstance(task, Future) else task


class Segment:
    """Collects a segment's blocks in files, and counts; nothing of it is among the outputs before it is whole."""

    def __init__(self, job: Job, output: Path, shard: str, first_row: int):
        self.job, self.output, self.shard, self.first_row = job, output, shard, first_row
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
            file = self.folder / folder / f"{self.name}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            self.writers[folder] = pq.ParquetWriter(file, schema, **PARQUET)
        self.writers[folder].write_batch(batch)

    def close(self, *, last: bool) -> None:
        """Everything goes to its place, the summary last."""
        for writer in self.writers.values():
            writer.close()
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        sizes = {file.relative_to(self.folder).as_posix(): file.stat().st_size for file in files}
        for file in files:
            move(file, self.output / file.relative_to(self.folder))
        summary = self.summary(sizes, last=last)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "summary.json").write_text(json.dumps(summary))
        move(self.folder / "summary.json", self.output / "summary" / f"{self.name}.json")
        shutil.rmtree(self.folder)
        del summary["files"]
        print(json.dumps({"event": "segment", **summary}), flush=True)

    def summary(self, files: dict[str, int], *, last: bool) -> dict:
        counts = {name: self.counts[name] for name in ("read", "scored", "quarantined", "chunks")}
        rows = {"first_row": self.first_row, "next_row": self.first_row + counts["read"], "last": last}
        return {"shard": self.shard, "release": self.job.release, **rows, **counts, "reasons": dict(self.reasons), "files": files}

    def discard(self) -> None:
        for writer in self.writers.values():
            writer.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def name(self) -> str:
        return segment_name(self.shard, self.first_row)

    @property
    def folder(self) -> Path:
        return self.job.folder(self.shard, self.first_row)


def move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
