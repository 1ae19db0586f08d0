"""Captured answers, block by block: rows by release, and their features and answers in the bins of its reference."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from domain.request.answers import Source
from domain.watch import bins as bin_rules
from domain.watch.bins import Bins
from domain.watch.counts import NO_RELEASE, ColumnCounts, Latency, ReleaseCounts
from domain.watch.happened import SPANS
from domain.watch.reference import ColumnReference, Reference
from model_code.watch.counting import count_column, rounded

BLOCK_COLUMNS = ("release", "source", "cause", "reason", "prediction", "probability", "latency_ms", "features")
FEW_TEXTS = ("release", "source", "cause", "reason", "prediction")  # read as dictionaries
_TYPES = {"string": pa.string(), "integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_()}
_LATENCIES_MS = 1.2 ** np.arange(64)  # ends of spans, up to a day and more


class _Column(NamedTuple):
    bins: Bins
    reference: ColumnReference


class Yardstick:
    """A release's reference, with its bins ready to count in."""

    def __init__(self, reference: Reference) -> None:
        self.features = {name: _column(column) for name, column in reference["features"].items()}
        self.prediction = _column(reference["prediction"])
        fields = [pa.field(name, _TYPES[column.reference["type"]]) for name, column in self.features.items()]
        self.schema = pa.schema(fields)


@dataclass
class Tally:
    """Counts of a release, of which any number add up to one."""

    rows: int = 0
    unparsed: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    features: dict[str, np.ndarray] = field(default_factory=dict)
    prediction: np.ndarray | None = None
    scores: np.ndarray | None = None  # (2, SPANS): answers by P(positive) that said yes, and no
    latencies: np.ndarray = field(default_factory=lambda: np.zeros(len(_LATENCIES_MS) + 1, dtype=np.int64))

    def add(self, other: "Tally") -> None:
        self.rows += other.rows
        self.unparsed += other.unparsed
        self.fallbacks += other.fallbacks
        self.latencies = self.latencies + other.latencies
        self.features = {
            name: _sum(self.features.get(name), other.features.get(name)) for name in self.features | other.features
        }
        if other.prediction is not None:
            self.prediction = _sum(self.prediction, other.prediction)
        if other.scores is not None:
            self.scores = _sum(self.scores, other.scores)


Tallies = dict[str, Tally]  # by release; rows without one under NO_RELEASE


def count_block(block: pa.RecordBatch, yardsticks: Mapping[str, Yardstick]) -> Tallies:
    """Count captured answers. A release without a yardstick is counted, and not compared."""
    releases = pc.fill_null(block.column("release").cast(pa.string()), NO_RELEASE)
    names = pc.unique(releases).to_pylist()
    parts = {name: block if len(names) == 1 else block.filter(pc.equal(releases, name)) for name in names}
    return {name: _tally(part, yardsticks.get(name)) for name, part in parts.items()}


def add_all(tallies: Tallies, others: Tallies) -> None:
    for release, other in others.items():
        tallies.setdefault(release, Tally()).add(other)


def counts_of(tally: Tally, yardstick: Yardstick | None) -> ReleaseCounts:
    """Make what is kept of a window: the release's counts beside those of its reference."""
    features = yardstick.features if yardstick else {}
    counted: ReleaseCounts = {
        "rows": tally.rows,
        "fallbacks": dict(sorted(tally.fallbacks.items())),
        "features": {name: _beside(column, tally.features.get(name)) for name, column in features.items()},
        "latency_ms": _latency(tally.latencies),
    }
    if yardstick:
        counted["prediction"] = _beside(yardstick.prediction, tally.prediction)
    if tally.scores is not None:
        yes, no = tally.scores.tolist()
        counted["scores"] = {"yes": yes, "no": no}
    return counted


# ---- one release of a block


def _tally(block: pa.RecordBatch, yardstick: Yardstick | None) -> Tally:
    by_prior = pc.equal(block.column("source").cast(pa.string()), Source.FALLBACK.value)
    tally = Tally(rows=len(block), fallbacks=_fallbacks(block.filter(by_prior)))
    known = block.column("latency_ms").drop_null().to_numpy(zero_copy_only=False)
    places = np.searchsorted(_LATENCIES_MS, known)
    tally.latencies = np.bincount(places, minlength=len(_LATENCIES_MS) + 1)
    if yardstick:
        tally.features, tally.unparsed = _count_features(block.column("features"), yardstick)
        by_model = block.filter(pc.invert(by_prior))
        tally.prediction = _count_answers(by_model, yardstick.prediction)
        if yardstick.prediction.reference["type"] == "float":
            tally.scores = _count_scores(by_model)
    return tally


def _fallbacks(block: pa.RecordBatch) -> Counter[str]:
    """Count by the cause, of which there are few; an answer that was stored without one has its reason."""
    causes = pc.coalesce(*(block.column(name).cast(pa.string()) for name in ("cause", "reason")))
    return Counter(pc.fill_null(causes, "unknown").to_pylist())


def _count_features(texts: pa.Array, yardstick: Yardstick) -> tuple[dict[str, np.ndarray], int]:
    """Count each feature, and the rows whose features cannot be read."""
    if not yardstick.features:
        return {}, 0
    try:
        table = _parsed(texts, yardstick.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # of another type than at the release, or no JSON at all
        return _count_one_by_one(texts, yardstick)
    return {name: count_column(column.bins, table.column(name)) for name, column in yardstick.features.items()}, 0


def _parsed(texts: pa.Array, schema: pa.Schema) -> pa.Table:
    """Read a JSON object a row; a feature that it does not have is null."""
    lines = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), pc.fill_null(texts, "{}"))
    joined = pc.binary_join(lines, "\n")[0].as_buffer()
    read = pj.ReadOptions(use_threads=False, block_size=joined.size + 1)
    parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    table = pj.read_json(pa.BufferReader(joined), read_options=read, parse_options=parse)
    if len(table) != len(texts):
        raise pa.ArrowInvalid(f"{len(table)} objects in {len(texts)} rows")
    return table


def _count_one_by_one(texts: pa.Array, yardstick: Yardstick) -> tuple[dict[str, np.ndarray], int]:
    rows = [_object_in(text) for text in texts.to_pylist()]
    readable = [row for row in rows if row is not None]
    counted = {
        name: np.array(bin_rules.count(column.bins, (_plain(row.get(name)) for row in readable)))
        for name, column in yardstick.features.items()
    }
    return counted, len(rows) - len(readable)


def _object_in(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _plain(value: Any) -> bin_rules.Value:
    """Return the value; a list or an object, which no feature is, as its text."""
    return value if isinstance(value, (str, int, float, bool)) or value is None else json.dumps(value)


def _count_answers(block: pa.RecordBatch, column: _Column) -> np.ndarray:
    """Count what the model answered: P(positive) as it was stored, else the prediction, which is JSON."""
    if column.reference["type"] == "float":
        shares = block.column("probability")
        has_shares = shares.null_count < len(shares)
        values = rounded(shares) if has_shares else pa.array(_loaded(block.column("prediction")), pa.float64())
        return count_column(column.bins, values)
    counted = np.zeros(len(column.bins.labels), dtype=np.int64)
    times = pc.value_counts(block.column("prediction").cast(pa.string()))
    for text, many in zip(times.field("values").to_pylist(), times.field("counts").to_pylist(), strict=True):
        counted[column.bins.place(json.loads(text) if text else None)] += many
    return counted


def _count_scores(block: pa.RecordBatch) -> np.ndarray | None:
    """Count P(positive) by its span, (2, SPANS), for each decision; None where nothing has one."""
    known = block.filter(pc.is_valid(block.column("probability")))
    if not len(known):
        return None
    shares = known.column("probability").to_numpy(zero_copy_only=False)
    spans = np.clip((shares * SPANS).astype(np.int64), 0, SPANS - 1)
    said_yes = pc.equal(known.column("prediction").cast(pa.string()), "true")
    yes = pc.fill_null(said_yes, False).to_numpy(zero_copy_only=False)
    return np.stack([np.bincount(spans[mask], minlength=SPANS) for mask in (yes, ~yes)])


def _loaded(texts: pa.Array) -> list[float | None]:
    values = (json.loads(text) if text else None for text in texts.cast(pa.string()).to_pylist())
    return [float(value) if isinstance(value, (int, float)) else None for value in values]


def _column(reference: ColumnReference) -> _Column:
    return _Column(bin_rules.from_dict(reference["bins"]), reference)


def _sum(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray:
    found = [each for each in (one, other) if each is not None]
    return np.sum(found, axis=0)


def _beside(column: _Column, counted: np.ndarray | None) -> ColumnCounts:
    labels = column.bins.labels
    return {
        "labels": labels,
        "ordered": column.bins.ordered,
        "reference": column.reference["counts"],
        "window": [0] * len(labels) if counted is None else counted.tolist(),
    }


def _latency(spans: np.ndarray) -> Latency | None:
    rows = int(spans.sum())
    if not rows:
        return None
    ends = [*_LATENCIES_MS.tolist(), math.inf]
    p50, p99 = (ends[int(np.searchsorted(np.cumsum(spans), share * rows))] for share in (0.5, 0.99))
    return {"p50": round(min(p50, ends[-2]), 1), "p99": round(min(p99, ends[-2]), 1)}
