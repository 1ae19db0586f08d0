"""One block of rows -> checked, its predictions as Arrow, and chunks of JSON lines for `write_results`.

Work is done by whole columns; a value that all rows of a block share is a scalar until it is written.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from domain.batch.segments import segment_name
from domain.contract.schema import Contract
from domain.records import shard_id
from domain.runs import BatchSettings
from model_code.answers.answer_columns import Columns, answer_columns, answer_fields, has_answer, prior_columns
from model_code.answers.answering import NO_ANSWER
from model_code.answers.golden import prove_golden
from model_code.artefact.folder import Artefact, open_artefact
from model_code.rows.blocks import Block
from model_code.rows.features import unfed
from model_code.rows.identity import batch_ids, entity_ids, event_times
from model_code.rows.json_lines import json_lines, text_between
from model_code.rows.matrices import model_batch
from model_code.rows.tables import Checked, checked
from model_code.settings import JobRefused, Settings

_NO_MODEL = "no release yet"
_FEW_TEXTS = pa.dictionary(pa.int8(), pa.string())  # of columns that are the same in most rows
_GZIP_LEVEL = 1
_GZIP_HEADER = 31  # 15 + 16: a gzip header that names neither file nor time, so the same bytes every time


@dataclass(frozen=True)
class Job:
    """Whatever all blocks of a run share. Without an artefact the contract's prior answers."""

    contract: Contract
    artefact: Artefact | None
    threshold: float
    rows_per_chunk: int
    run: str
    identities: dict[str, str]  # names that ids are made of, by shard; of other shards they are made of the run
    as_of: str
    release: str | None
    stores: bool  # whether predictions go into the table too, beside Parquet
    unfinished: Path  # folder of segments until they are whole

    def score(self, shard: str, segment: int, block: Block) -> tuple[Checked, pa.RecordBatch]:
        """Return the checked rows and their predictions, in order, and write the results to the segment's folder.

        `segment` is the segment's first row.
        """
        rows = checked(self.contract, block, with_target=False)
        columns = {
            "row_number": pa.array(rows.row_numbers),
            "id": batch_ids(self._shard_id(shard), rows.row_numbers),
            "entity_id": entity_ids(self.contract, rows.accepted),
            "event_time": event_times(self.contract, rows.accepted),
            "made_at": pa.scalar(self.as_of),
            "run": pa.scalar(self.run),
            **self._answers(rows.accepted),
        }
        if self.stores:
            self._write_results(shard, self.folder(shard, segment), columns)
        return rows, _batch_of(columns, self.predictions_schema)

    def _answers(self, accepted: pa.RecordBatch) -> Columns:
        """Return the answer to each row, its source and reason; the contract's prior if the model has no answer."""
        prior = prior_columns(self.contract, threshold=self.threshold)
        if self.artefact is None:
            return {**_fallback(_NO_MODEL), **prior}
        scores = self.artefact.scorer.score_batch(model_batch(self.artefact.contract, accepted), refusals=[])
        classes = self.artefact.manifest["classes"]
        answers = {
            **_origin(release=self.release, role="champion", source="model"),
            **answer_columns(self.artefact.contract, scores, classes=classes, threshold=self.threshold),
        }
        fine = has_answer(scores)
        if fine.all():
            return answers
        instead = {**_fallback(NO_ANSWER), **prior}
        return {name: pc.if_else(pa.array(fine), answers[name], instead[name]) for name in answers}

    def _write_results(self, shard: str, folder: Path, columns: Columns) -> None:
        """Write files of a head, with the values that all rows share and the names of the others, and a line a row.

        A file is named by its first row, so that rows that are scored again are written to the same files.
        """
        shared: dict[str, Any] = {
            name: value.as_py() for name, value in columns.items() if isinstance(value, pa.Scalar)
        }
        if isinstance(shared.get("probabilities"), list):
            shared["probabilities"] = dict(shared["probabilities"])
        own = [name for name in columns if name not in shared and name != "id"]
        about = {"all_rows": shared, "each_row": own, "shard_id": self._shard_id(shard)}
        first_line = json.dumps(about, ensure_ascii=False).encode() + b"\n"
        lines, row_numbers = json_lines([columns[name] for name in own]), columns["row_number"]
        (folder / "results").mkdir(parents=True, exist_ok=True)
        for start in range(0, len(lines), self.rows_per_chunk):
            end = min(start + self.rows_per_chunk, len(lines))
            file = folder / "results" / f"{segment_name(shard, row_numbers[start].as_py())}.jsonl.gz"
            file.write_bytes(_gzipped(first_line, text_between(lines, start, end)))

    def _shard_id(self, shard: str) -> str:
        return shard_id(self.identities.get(shard, self.run), shard)

    def folder(self, shard: str, segment: int) -> Path:
        """Return the folder of a segment's files until it is whole."""
        return self.unfinished / segment_name(shard, segment)

    def chunks(self, rows: int) -> int:
        """Count the files of results of so many rows of a block."""
        return -(-rows // self.rows_per_chunk) if self.stores else 0

    @property
    def predictions_schema(self) -> pa.Schema:
        event_time = self.contract.event_time
        always = [("row_number", pa.int64()), ("id", pa.string()), ("entity_id", pa.string())]
        return pa.schema(
            [
                *(pa.field(name, kind, nullable=False) for name, kind in always),
                pa.field("event_time", pa.string(), nullable=event_time is None or event_time.nullable),
                *(pa.field(name, _FEW_TEXTS, nullable=False) for name in ("made_at", "run", "source")),
                *(pa.field(name, _FEW_TEXTS) for name in ("release", "role", "reason")),
                *answer_fields(self.contract),
            ]
        )


def _origin(*, release: str | None, role: str | None, source: str, reason: str | None = None) -> Columns:
    texts = {"release": release, "role": role, "source": source, "reason": reason}
    return {name: pa.scalar(value, pa.string()) for name, value in texts.items()}


def _fallback(reason: str) -> Columns:
    return _origin(release=None, role=None, source="fallback", reason=reason)


def _batch_of(columns: Columns, schema: pa.Schema) -> pa.RecordBatch:
    """Write every column in full."""
    rows = len(columns["row_number"])
    if not rows:
        return pa.RecordBatch.from_pylist([], schema)  # Arrow cannot repeat a map zero times
    return pa.RecordBatch.from_arrays(
        [_in_full(columns[field.name], field.type, rows) for field in schema], schema=schema
    )


def _in_full(values: pa.Array | pa.Scalar, kind: pa.DataType, rows: int) -> pa.Array:
    if kind != _FEW_TEXTS:
        return pa.repeat(values, rows) if isinstance(values, pa.Scalar) else values
    if not isinstance(values, pa.Scalar):
        return values.dictionary_encode().cast(kind)
    codes = pa.repeat(pa.scalar(0 if values.is_valid else None, kind.index_type), rows)
    return pa.DictionaryArray.from_arrays(codes, [values.as_py()] if values.is_valid else [""], safe=False)


def _gzipped(*parts: bytes | memoryview) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_HEADER)
    return b"".join([*map(packer.compress, parts), packer.flush()])


def open_job(settings: Settings, run: BatchSettings, model: Path | None, unfinished: Path) -> Job:
    """Open and prove the artefact in the folder `model`. Raises JobRefused and ArtefactRefused."""
    contract, config = settings
    artefact = open_artefact(model, expected=run["artefact_sha256"]) if model else None
    if artefact:
        _refuse_other_features(artefact, contract)
        prove_golden(artefact)
    return Job(
        contract=contract,
        artefact=artefact,
        threshold=run.get("threshold", config.serving.threshold),
        rows_per_chunk=config.batch.rows_per_chunk,
        run=run["run"],
        identities=run.get("identities", {}),
        as_of=run["as_of"],
        release=run.get("release") if artefact else None,
        stores=run.get("store", True),
        unfinished=unfinished,
    )


def _refuse_other_features(artefact: Artefact, contract: Contract) -> None:
    missing = unfed(artefact.contract, contract)
    if missing:
        raise JobRefused(
            f"the model was trained under the contract {artefact.contract.hash}; this batch has {contract.hash}, "
            f"which has changed {', '.join(missing)}; train and release under today's contract first"
        )
