"""score: shards of rows -> predictions and quarantine (Parquet), results for DynamoDB (JSON lines) and a summary, for
each segment of a shard.

One thread reads and writes, the others check and score, block by block, so that memory stays bounded and the order is
the file's; nearly all of the work is done outside of the interpreter, so threads use every core. A segment's files
appear when it is whole, its summary last. SIGTERM ends the segments under way where they are; a job that is started
again continues behind the last segment that is there.
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
from enum import Enum, auto
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, NoReturn

import pyarrow as pa

from domain.batch.segments import Summary, flat, next_row
from model_code import paths
from model_code.artefact.archive import unpack
from model_code.batch.block import Job, open_job
from model_code.batch.segment import Segment
from model_code.refusals import FileRefused
from model_code.rows.blocks import Block
from model_code.rows.tables import Checked, read_blocks
from model_code.settings import JobRefused, read_batch_run, read_progress, read_settings

SEGMENT_BLOCKS = 16  # a million rows of Parquet, 64 MB of CSV: about a second of work
_STOPPED = 143  # a shell's exit code for a process that SIGTERM ended


def main() -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = read_settings(paths.processing_input("contract"))
    run = read_batch_run(paths.processing_input("contract"))
    progress = read_progress(paths.processing_input("contract"))
    shards = _find_shards(paths.processing_input("rows"))
    shutil.rmtree(paths.unfinished(), ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        job = open_job(settings, run, _model_folder(Path(scratch)), paths.unfinished())
        with ThreadPoolExecutor(_cores()) as pool:
            refused = _score_shards(job, shards, paths.processing_outputs(), pool, progress=progress, stopping=stopping)
    if stopping.is_set():
        _end_at_once(_STOPPED)
    if refused:
        raise JobRefused(f"{len(refused)} of {len(shards)} shards are refused: " + "; ".join(map(str, refused)))


def _end_at_once(code: int) -> NoReturn:
    """End without unwinding the interpreter; by now everything is written and the scratch folder removed.

    Arrow may still read ahead in a thread of its own, which Python 3.13 answers with an abort instead of the exit code.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _model_folder(scratch: Path) -> Path | None:
    """Unpack the artefact to score with; None before the first release."""
    files = sorted(paths.processing_input("model").rglob("model.tar.gz"))
    return unpack(files[0], scratch / "model") if files else None


def _find_shards(folder: Path) -> dict[str, Path]:
    """Find the file of each shard, which is named by its place under input/rows."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if not files:
        raise JobRefused(f"no file to score is under {folder}; give the batch at least one")
    return {file.relative_to(folder).as_posix(): file for file in files}


def _cores() -> int:
    """Count the cores that this process may use, where the system reports them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---- shards


class Place(NamedTuple):
    """A segment: its shard, and its first row there, from 1."""

    shard: str
    first_row: int


class _End(Enum):
    """In the place of a block: nothing more of the segment follows, or of the whole shard."""

    OF_SEGMENT = auto()
    OF_SHARD = auto()


_Scored = tuple[Checked, pa.RecordBatch]  # rows and their predictions
_Task = tuple[Place, Block | _End | FileRefused]
_Result = tuple[Place, _Scored | _End | FileRefused]


def _score_shards(
    job: Job,
    shards: dict[str, Path],
    output: Path,
    pool: ThreadPoolExecutor,
    *,
    progress: dict[str, int],
    stopping: threading.Event,
) -> list[FileRefused]:
    """Score the rows that are in no segment yet, until `stopping`; return the refusals of shards that cannot be read.

    `progress`: the first row that is not scored, by the flat name of each shard that an earlier job began elsewhere.
    """
    begins = ((shard, file, _first_row(output, shard, progress)) for shard, file in shards.items())
    todo = {Place(shard, row): file for shard, file, row in begins if row is not None}
    segments: dict[Place, Segment] = {}
    refused: list[FileRefused] = []
    for place, result in _in_order(job, pool, _tasks(job, todo, stopping)):
        segment = segments.pop(place, None) or Segment(job, output, *place)
        if isinstance(result, FileRefused):
            refused.append(result)
            segment.discard()
        elif isinstance(result, _End):
            segment.close(last=result is _End.OF_SHARD)
        else:
            segment.write(*result)
            segments[place] = segment
    return refused


def _first_row(output: Path, shard: str, progress: dict[str, int]) -> int | None:
    """Return the first row to score; None if all are scored."""
    files = (output / "summary").glob(f"{glob.escape(flat(shard))}-*.json")
    summaries: Iterator[Summary] = (json.loads(file.read_bytes()) for file in files)
    ours = (summary for summary in summaries if summary["shard"] == shard)
    return next_row(ours, start=progress.get(flat(shard), 1))


def _tasks(job: Job, shards: dict[Place, Path], stopping: threading.Event) -> Iterator[_Task]:
    """Yield the blocks of each shard from its first row on, each under its segment.

    After the last block of a segment or a shard comes its end, or the refusal of a file that turns out to be unusable.
    """
    for begin, file in shards.items():
        place = begin
        try:
            for taken, block in enumerate(_rest_of(file, job, begin.first_row, stopping), 1):
                yield place, block
                if taken % SEGMENT_BLOCKS == 0:
                    yield place, _End.OF_SEGMENT
                    place = Place(begin.shard, block.first_row + len(block.rows))
            yield place, _End.OF_SEGMENT if stopping.is_set() else _End.OF_SHARD
        except FileRefused as error:
            yield place, error
        if stopping.is_set():
            return


def _rest_of(file: Path, job: Job, begin: int, stopping: threading.Event) -> Iterator[Block]:
    """Read the file's rows from the row `begin` on, until `stopping`."""
    blocks = read_blocks(file, job.contract, with_target=False, coded=True)
    going_on = takewhile(lambda _: not stopping.is_set(), blocks)
    return filter(None, (_behind(block, begin) for block in going_on))


def _behind(block: Block, begin: int) -> Block | None:
    """Return the rows of a block from the row `begin` on."""
    done = begin - block.first_row
    if done <= 0:
        return block
    return block._replace(rows=block.rows[done:], first_row=begin) if done < len(block.rows) else None


def _in_order(job: Job, pool: ThreadPoolExecutor, tasks: Iterator[_Task]) -> Iterator[_Result]:
    """Yield the result of each task, in the order of the tasks; a few blocks are under way at once."""
    ahead: deque[tuple[Place, Future[_Scored] | _End | FileRefused]] = deque()
    most = 2 * _cores()
    for place, task in tasks:
        ahead.append((place, pool.submit(job.score, *place, task) if isinstance(task, Block) else task))
        if len(ahead) > most:
            yield _finished(*ahead.popleft())
    while ahead:
        yield _finished(*ahead.popleft())


def _finished(place: Place, task: Future[_Scored] | _End | FileRefused) -> _Result:
    return place, task.result() if isinstance(task, Future) else task
