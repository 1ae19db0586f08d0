"""One block of checked rows -> its predictions as Arrow, and as chunks of JSON lines for `write_results`."""

import ctypes
import gc
import gzip
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from domain.answers import answer_from_score, fallback_answer
from domain.contract import Contract
from domain.records import prediction_id
from model_code.answering import NO_ANSWER, plain_scores, prove_golden
from model_code.artefact import Artefact, open_artefact
from model_code.features import unfed
from model_code.identity import entity_ids, event_times
from model_code.matrices import model_batch
from model_code.settings import JobRefused, Settings

NO_MODEL = "no release yet"
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Job:
    """What all blocks of a run share. Without an artefact the contract's prior answers."""

    contract: Contract
    artefact: Artefact | None
    threshold: float
    rows_per_chunk: int
    run: str
    as_of: str
    release: str | None
    unfinished: Path

    def score(self, shard: str, accepted: pa.RecordBatch, row_numbers: np.ndarray) -> pa.RecordBatch:
        """The block's predictions in order; its results are written beside."""
        records = self.records(shard, accepted, row_numbers)
        for start in range(0, len(records), self.rows_per_chunk):
            self.write_chunk(shard, row_numbers[start], records[start : start + self.rows_per_chunk])
        _, *fields = self.predictions_schema
        columns = pa.array(records, pa.struct(fields)).flatten()
        return pa.RecordBatch.from_arrays([pa.array(row_numbers), *columns], schema=self.predictions_schema)

    def records(self, shard: str, accepted: pa.RecordBatch, row_numbers: np.ndarray) -> list[dict]:
        about = {"made_at": self.as_of, "run": self.run}
        identities = zip(entity_ids(self.contract, accepted), event_times(self.contract, accepted), strict=True)
        return [
            {
                "id": prediction_id(self.run, shard, str(number)),
                "entity_id": entity,
                "event_time": moment,
                **about,
                **who,
                **answer,
            }
            for number, (entity, moment), (who, answer) in zip(
                row_numbers.tolist(), identities, self.answers(accepted), strict=True
            )
        ]

    def answers(self, accepted: pa.RecordBatch) -> list[tuple[dict, dict]]:
        """Who answers each row and why, and what; the contract's prior where there is no model or it gives no answer."""
        prior = fallback_answer(self.contract, threshold=self.threshold)
        if self.artefact is None:
            return [(fallback(NO_MODEL), prior)] * len(accepted)
        model = {"release": self.release, "role": "champion", "source": "model", "reason": None}
        classes, no_answer = self.artefact.manifest["classes"], (fallback(NO_ANSWER), prior)
        scores = self.artefact.scorer.score_batch(model_batch(self.contract, accepted), refusals=[])
        return [
            no_answer if score is None
            else (model, answer_from_score(self.contract, score, classes=classes, threshold=self.threshold))
            for score in plain_scores(self.contract, scores)
        ]  # fmt: skip

    def write_chunk(self, shard: str, first_row: int, records: list[dict]) -> None:
        """Named by its first row, so that a shard done again writes the same files."""
        file = self.folder(shard) / "results" / f"{flat(shard)}-{first_row:012d}.jsonl.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(json_lines(records).encode(), 1, mtime=0))

    def folder(self, shard: str) -> Path:
        """Where a shard's files lie until it is whole."""
        return self.unfinished / flat(shard)

    def chunks(self, rows: int) -> int:
        return -(-rows // self.rows_per_chunk)

    @property
    def predictions_schema(self) -> pa.Schema:
        kinds = {"binary": pa.bool_(), "regression": pa.float64()}
        classes = pa.int64() if self.contract.target.type == "integer" else pa.string()
        texts = ("id", "entity_id", "event_time", "made_at", "run", "release", "role", "source", "reason")
        answer = [("prediction", kinds.get(self.contract.task, classes)), ("probability", pa.float64())]
        if self.contract.task == "multiclass":
            answer.append(("probabilities", pa.map_(pa.string(), pa.float64())))
        return pa.schema([("row_number", pa.int64()), *((name, pa.string()) for name in texts), *answer])


def fallback(reason: str) -> dict:
    return {"release": None, "role": None, "source": "fallback", "reason": reason}


def json_lines(records: list[dict]) -> str:
    """One object a line. All are encoded at once, which is three times as quick as one by one, and parted between the
    objects, unless some text in them looks like such a place.
    """
    text = encode(records)[1:-1]
    if text.count("},{") == len(records) - 1:
        return text.replace("},{", "}\n{") + "\n"
    return "".join(encode(record) + "\n" for record in records)


def flat(shard: str) -> str:
    """A shard's name, its place under the input, as one file name."""
    return shard.replace("/", "~")


def open_job(settings: Settings, model: Path | None, unfinished: Path) -> Job:
    contract, config, run = settings
    artefact = open_artefact(model, expected=run["artefact_sha256"]) if model else None
    if artefact:
        refuse_other_features(artefact, contract)
        prove_golden(artefact)
    return Job(
        contract=contract,
        artefact=artefact,
        threshold=config.serving.threshold,
        rows_per_chunk=config.batch.rows_per_chunk,
        run=run["run"],
        as_of=run["as_of"],
        release=run.get("release") if artefact else None,
        unfinished=unfinished,
    )


def refuse_other_features(artefact: Artefact, contract: Contract) -> None:
    missing = unfed(artefact.contract, contract)
    if missing:
        raise JobRefused(
            f"the model was trained under the contract {artefact.contract.hash}; this batch has {contract.hash}, "
            f"which has changed {', '.join(missing)}; train and release under today's contract first"
        )


# ---- in a worker process

WORKER = {}


def start_worker(parent: int, settings: Settings, model: Path | None, unfinished: Path) -> None:
    die_with(parent)
    gc.disable()  # records hold no cycles, and to look for some among so many takes a tenth of the time
    WORKER["job"] = open_job(settings, model, unfinished)


def score_in_worker(shard: str, accepted: pa.RecordBatch, row_numbers: np.ndarray) -> pa.RecordBatch:
    return WORKER["job"].score(shard, accepted, row_numbers)


def die_with(parent: int) -> None:
    """Linux ends this process when the one that started it is gone, however that ended; here, if it is gone already."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the job that started this process is gone")
