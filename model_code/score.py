"""score: shards of rows -> predictions and quarantine (Parquet), results for DynamoDB (JSON lines) and a summary, for
each segment of a shard.

One thread reads and writes, the others check and score, block by block, so that memory stays bounded and the order is
the file's; nearly all of the work is done outside of the interpreter, so threads use every core. A segment's files
appear when it is whole, its summary last. SIGTERM ends the segments under way where they are, and a job that is started
again goes on behind the last segment that is there.
"""

import glob
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

from domain.batch.segments import flat, next_row
from model_code import paths
from model_code.artefact.archive import unpack
from model_code.batch.block import Job, open_job
from model_code.batch.segment import Segment
from model_code.rows.readers import FileRefused
from model_code.rows.tables import Block, read_blocks
from model_code.settings import JobRefused, read_progress, read_settings

SEGMENT_BLOCKS = 16  # a million rows of Parquet, 64 MB of CSV: about a second of work
STOPPED = 143  # as the shell says of a process that SIGTERM ended


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
    """Scores what is in no segment yet, until `stopping`; the shards that could not be read. `progress` tells of shards
    that an earlier job began elsewhere: {flat name: first row that is not scored}.
    """
    begins = ((shard, file, first_row(output, shard, progress)) for shard, file in shards.items())
    todo = {shard: (file, row) for shard, file, row in begins if row is not None}
    segments, refused = {}, []
    for place, found in in_order(job, pool, blocks(job, todo, stopping)):
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
    """((shard, first row of a segment), block) from the row that each shard begins with; then, with the same place,
    MORE where the segment ends and END where the shard does, or why the file turns out to be unusable.
    """
    for shard, (file, begin) in shards.items():
        place = (shard, begin)
        try:
            for taken, block in enumerate(rest_of(file, job, begin, stopping), 1):
                yield place, block
                if taken % SEGMENT_BLOCKS == 0:
                    yield place, MORE
                    place = (shard, block.first_row + len(block.rows))
            yield place, MORE if stopping.is_set() else END
        except FileRefused as error:
            yield place, error
        if stopping.is_set():
            return


def rest_of(file: Path, job: Job, begin: int, stopping: threading.Event) -> Iterator[Block]:
    """The file's rows from the row `begin` on, until `stopping`."""
    found = read_blocks(file, job.contract, with_target=False, coded=True)
    going_on = takewhile(lambda _: not stopping.is_set(), found)
    return filter(None, (behind(block, begin) for block in going_on))


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
