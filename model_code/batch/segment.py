"""One segment of a shard: its blocks are in files that appear among the outputs once it is complete, the
summary last.
"""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.batch.segments import Summary, segment_name
from model_code.batch.block import Job
from model_code.rows.quarantine import QUARANTINE
from model_code.rows.tables import Checked

# By column; of the quarantine's columns they name only the row number. Without Arrow's own schema in the file, readers
# see plain texts where it has dictionaries.
_REPEATED = ["made_at", "run", "release", "role", "source", "reason"]  # the same in most rows
_RANGES = ["row_number", "event_time", "probability"]  # queries ask for a range of them
_PARQUET = {
    "compression": "zstd",
    "use_dictionary": _REPEATED,
    "column_encoding": {"row_number": "DELTA_BINARY_PACKED", "probability": "BYTE_STREAM_SPLIT"},
    "write_statistics": _RANGES,
    "write_batch_size": 32_768,
    "store_schema": False,
}


class Segment:
    """Collects a segment's blocks in files, with counts; nothing appears among the outputs before it is complete."""

    def __init__(self, job: Job, output: Path, shard: str, first_row: int) -> None:
        self.job, self.output, self.shard, self.first_row = job, output, shard, first_row
        self.counts, self.reasons = Counter[str](), Counter[str]()
        self.writers: dict[str, pq.ParquetWriter] = {}

    def write(self, checked: Checked, predictions: pa.RecordBatch) -> None:
        self._append("predictions", self.job.predictions_schema, predictions)
        if len(checked.quarantined):
            self._append("quarantine", QUARANTINE, checked.quarantined)
        scored, quarantined = len(checked.accepted), len(checked.quarantined)
        chunks = self.job.chunks(scored)
        self.counts.update(read=scored + quarantined, scored=scored, quarantined=quarantined, chunks=chunks)
        self.reasons += checked.reasons

    def _append(self, folder: str, schema: pa.Schema, batch: pa.RecordBatch) -> None:
        if folder not in self.writers:
            file = self._folder / folder / f"{self._name}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            self.writers[folder] = pq.ParquetWriter(file, schema, **_PARQUET)
        self.writers[folder].write_batch(batch)

    def close(self, *, last: bool) -> None:
        """Move the files to their places, the summary last. An empty segment counts only if it ends its shard."""
        if not last and not self.counts["read"]:
            return self.discard()
        for writer in self.writers.values():
            writer.close()
        files = sorted(file for file in self._folder.rglob("*") if file.is_file())
        sizes = {file.relative_to(self._folder).as_posix(): file.stat().st_size for file in files}
        for file in files:
            _move(file, self.output / file.relative_to(self._folder))
        summary = self._summary(sizes, last=last)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "summary.json").write_text(json.dumps(summary))
        _move(self._folder / "summary.json", self.output / "summary" / f"{self._name}.json")
        shutil.rmtree(self._folder)
        logged = {name: value for name, value in summary.items() if name != "files"}
        print(json.dumps({"event": "segment", **logged}), flush=True)

    def _summary(self, files: dict[str, int], *, last: bool) -> Summary:
        return {
            "shard": self.shard,
            "release": self.job.release,
            "first_row": self.first_row,
            "next_row": self.first_row + self.counts["read"],
            "last": last,
            "read": self.counts["read"],
            "scored": self.counts["scored"],
            "quarantined": self.counts["quarantined"],
            "chunks": self.counts["chunks"],
            "reasons": dict(self.reasons),
            "files": files,
        }

    def discard(self) -> None:
        """Remove the segment's files."""
        for writer in self.writers.values():
            writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _name(self) -> str:
        return segment_name(self.shard, self.first_row)

    @property
    def _folder(self) -> Path:
        return self.job.folder(self.shard, self.first_row)


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
