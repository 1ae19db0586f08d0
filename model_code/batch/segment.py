"""One segment of a shard: its blocks collected in files that appear among the outputs when it is whole, its summary
last.
"""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.batch.segments import segment_name
from model_code.batch.block import Job
from model_code.rows.tables import QUARANTINE, Checked

# Columns by name; of the quarantine's only the row number is among them. Rows share what is dictionary-coded; least and
# greatest are kept of what is asked for. Without Arrow's own schema in it, the file says that all texts are texts.
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
        """Everything goes to its place, the summary last. A segment without a row is one only where it ends its
        shard.
        """
        if not last and not self.counts["read"]:
            return self.discard()
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
        return {
            "shard": self.shard,
            "release": self.job.release,
            **rows,
            **counts,
            "reasons": dict(self.reasons),
            "files": files,
        }

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
