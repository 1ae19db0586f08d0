"""replay: captured requests, scored again by the champion and by the release that is to follow -> summary.json,
rows.parquet.

Features are taken as they were stored and nothing reads a clock, so a row is what the model was asked when it was made.
A chunk of rows is in memory at a time; of all rows only two numbers each are kept, for the shift of the predictions.
"""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from domain.contract.schema import Contract
from domain.records import to_number
from domain.release.pace import Paced, Recorded, busiest
from domain.release.replay import MOST_FLIPS, Difference, Flip, Replayed, Rows, worst
from domain.request.answers import Answer, Source, answer_from_score
from domain.runs import ReplaySettings
from domain.watch import drift
from domain.watch.bins import bins_of, count
from model_code import paths
from model_code.answers.answering import responder
from model_code.answers.golden import SAME_WITHIN, prove_golden
from model_code.answers.latency import side_by_side
from model_code.answers.reply import JSON, Reply, RequestRefused
from model_code.artefact.archive import unpack
from model_code.artefact.folder import Artefact, open_artefact
from model_code.rows.identity import row_values
from model_code.rows.window import read_window
from model_code.settings import Settings, read_replay_run, read_settings, window_of

_CHUNK = 500  # rows
_TIMED = 200  # single rows
_COLUMNS = (
    "id",
    "made_at",
    "release",
    "source",
    "prediction",
    "probability",
    "probabilities",
    "features",
    "contract_hash",
)
_BY_MODEL = (Source.MODEL, Source.FUNCTION)
_WRITTEN = pa.schema([(name, pa.string()) for name in ("id", "champion", "release")])


class Request(NamedTuple):
    """A row to score again; `stored` is the captured row with the answer that it got, None where it got none."""

    id: str
    made_at: str
    contract_hash: str
    features: dict[str, Any]
    stored: dict[str, Any] | None


@dataclass(frozen=True)
class Model:
    """A release, opened as its endpoint opens it."""

    release: str
    artefact: Artefact
    respond: Callable[[bytes], Reply]
    threshold: float  # from which its decisions are yes

    @property
    def contract(self) -> Contract:
        return self.artefact.contract

    def body(self, requests: list[Request]) -> bytes:
        """Write rows checked under one contract as `predict` sends them."""
        return json.dumps(
            {"instances": [self.row_of(request) for request in requests], "contract": requests[0].contract_hash}
        ).encode()

    def row_of(self, request: Request) -> dict[str, Any]:
        features = request.features
        return {column.name: features[column.name] for column in self.contract.features if column.name in features}

    def within(self, stored: dict[str, Any]) -> float:
        """Return how far an answer may be from the stored one: nothing, where a plan gave it on such a processor.

        Functions run on another processor, and libraries differ in the last bits by the machine.
        """
        exact = self.artefact.manifest["format"] == "plan" and stored["source"] == Source.MODEL
        return 0.0 if exact else float(self.artefact.golden.get("within", SAME_WITHIN))


@dataclass
class Tally:
    """What is counted, chunk by chunk."""

    champion: Model
    release: Model
    rows: int = 0
    first: str = ""
    last: str = ""
    repeated: int = 0
    nearly: int = 0
    differing: int = 0
    difference: Difference | None = None
    unmapped: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    flipped: int = 0
    flips: list[Flip] = field(default_factory=list)
    segments: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    predictions: tuple[list[Any], list[Any]] = field(default_factory=lambda: ([], []))


def main() -> None:
    settings = read_settings(paths.processing_input("contract"))
    run = read_replay_run(paths.processing_input("contract"))
    output = paths.processing_output("replay")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        usual = settings.config.serving.threshold
        champion = _open("champion", run, Path(scratch), threshold=run["champion_threshold"])
        release = _open("release", run, Path(scratch), threshold=usual)
        tally = Tally(champion, release)
        timed: list[Request] = []
        paced: list[Paced] = []
        with pq.ParquetWriter(output / "rows.parquet", _WRITTEN) as writer:
            for requests in _chunks(_requests(run, settings)):
                _replay(tally, requests, writer)
                mapped = _mapped(tally, requests)
                timed += mapped[: max(0, _TIMED - len(timed))]
                paced = max(paced, _busiest(tally, mapped, run), key=len)
        summary = _summary(tally, run, timed)
    (requested := paths.processing_output("paced")).mkdir(parents=True, exist_ok=True)
    (requested / "paced.json").write_text(json.dumps(paced, allow_nan=False))
    (output / "summary.json").write_text(json.dumps(summary, indent=1, allow_nan=False))
    print(f"{summary['rows']:,} rows of {summary['source']}, {summary['flipped']} decisions differ")


def _open(folder: Literal["champion", "release"], run: ReplaySettings, scratch: Path, *, threshold: float) -> Model:
    (file,) = paths.processing_input(folder).rglob("model.tar.gz")
    expected = run["champion_sha256"] if folder == "champion" else run["release_sha256"]
    artefact = open_artefact(unpack(file, scratch / folder), expected=expected)
    prove_golden(artefact)
    return Model(run[folder], artefact, responder(artefact, JSON, ""), threshold)


# ---- the rows


def _requests(run: ReplaySettings, settings: Settings) -> Iterator[Request]:
    if run["source"] == Rows.EVALUATION:
        yield from _of_the_window(run, settings)
        return
    files = sorted(paths.processing_input("rows").rglob("*.parquet"))
    of_each = -(-run["rows"] // max(len(files), 1))  # so that every hour has its part
    for file in files:
        yield from _captured(file, of_each)


def _captured(file: Path, most: int) -> Iterator[Request]:
    """Read the first rows of a captured file, a chunk in memory at a time."""
    for batch in pq.ParquetFile(file).iter_batches(batch_size=min(_CHUNK, most), columns=list(_COLUMNS)):
        for row in batch.to_pylist()[:most]:
            answered = row["source"] in _BY_MODEL
            features = json.loads(row["features"])
            yield Request(row["id"], row["made_at"], row["contract_hash"], features, row if answered else None)
        most -= len(batch)
        if most <= 0:
            return


def _of_the_window(run: ReplaySettings, settings: Settings) -> Iterator[Request]:
    """Read rows of the run's evaluation window, as requests that nobody has answered yet."""
    contract, window = settings.contract, window_of(run)
    table = read_window(
        paths.processing_input("rows"),
        contract,
        window,
        "evaluate",
        loads=run.get("loads", ()),
        duplicates=settings.config.data.duplicates,
    ).table
    step = max(1, len(table) // run["rows"])
    some = table.take(pa.array(range(0, len(table), step)))
    columns = {column.name: row_values(column, some) for column in contract.features}
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        yield Request(
            f"row {number * step}", window["as_of"], contract.hash, dict(zip(columns, values, strict=True)), None
        )


def _chunks(requests: Iterator[Request]) -> Iterator[list[Request]]:
    """Gather rows that were checked under the same contract."""
    chunk: list[Request] = []
    for request in requests:
        if chunk and (len(chunk) == _CHUNK or chunk[0].contract_hash != request.contract_hash):
            yield chunk
            chunk = []
        chunk.append(request)
    if chunk:
        yield chunk


# ---- a chunk


def _replay(tally: Tally, requests: list[Request], writer: pq.ParquetWriter) -> None:
    answers = _ask(tally.champion, requests)
    for request, answer in zip(requests, answers, strict=True):
        if request.stored and request.stored["release"] == tally.champion.release:
            _count_repetition(tally, request, answer)
    mapped = {request.id for request in _mapped(tally, requests)}
    for request in requests:
        if request.id not in mapped:
            tally.unmapped.update(_lacking(tally.release, request))
        tally.filled.update(_filled(tally.release, request))
    both = [(request, answer) for request, answer in zip(requests, answers, strict=True) if request.id in mapped]
    if not both:
        return
    theirs = [answer for _, answer in both]
    asked = [request for request, _ in both]
    ours = _ask(tally.release, asked)
    for request, their, our in zip(asked, theirs, ours, strict=True):
        _compare(tally, request, their, our)
    writer.write_table(
        pa.table(
            [[request.id for request in asked], [_text(one) for one in theirs], [_text(one) for one in ours]],
            schema=_WRITTEN,
        )
    )


def _ask(model: Model, requests: list[Request]) -> list[Answer | str]:
    """Return the model's answer to each row, or the reason why there is none."""
    try:
        document = json.loads(model.respond(model.body(requests)).body)
    except RequestRefused as error:
        return [str(error)] * len(requests)
    return [
        str(score["error"])
        if isinstance(score, dict)
        else answer_from_score(model.contract, score, classes=document.get("classes"), threshold=model.threshold)
        for score in document["predictions"]
    ]


def _mapped(tally: Tally, requests: list[Request]) -> list[Request]:
    return [request for request in requests if not _lacking(tally.release, request)]


def _lacking(model: Model, request: Request) -> list[str]:
    """Name the columns that the model needs and the row's contract did not have."""
    return [one.name for one in model.contract.features if one.name not in request.features and not one.nullable]


def _filled(model: Model, request: Request) -> list[str]:
    return [one.name for one in model.contract.features if one.name not in request.features and one.nullable]


def _count_repetition(tally: Tally, request: Request, answer: Answer | str) -> None:
    stored = request.stored
    assert stored is not None, "the caller has looked"
    given, now = _numbers_stored(stored), [] if isinstance(answer, str) else _numbers(answer)
    if given == now:
        tally.repeated += 1
    elif len(given) == len(now) and _same(given, now, tally.champion.within(stored)):
        tally.repeated += 1
        tally.nearly += 1
    else:
        tally.differing += 1
        tally.difference = tally.difference or Difference(id=request.id, stored=json.dumps(given), now=json.dumps(now))


def _numbers(answer: Answer) -> list[Any]:
    """Return what a model said, apart from what a threshold makes of it, as the predictions table holds numbers."""
    if "probabilities" in answer:
        said = [answer["probabilities"][name] for name in sorted(answer["probabilities"])]
    else:
        said = [answer["prediction"] if answer["probability"] is None else answer["probability"]]
    return [float(to_number(float(number))) for number in said]


def _numbers_stored(stored: dict[str, Any]) -> list[Any]:
    if stored["probabilities"] is not None:
        probabilities = json.loads(stored["probabilities"])
        return [float(probabilities[name]) for name in sorted(probabilities)]
    return [float(json.loads(stored["prediction"]) if stored["probability"] is None else stored["probability"])]


def _same(one: list[float], other: list[float], within: float) -> bool:
    return all(math.isclose(a, b, rel_tol=within, abs_tol=within) for a, b in zip(one, other, strict=True))


def _compare(tally: Tally, request: Request, their: Answer | str, our: Answer | str) -> None:
    tally.rows += 1
    tally.first = min(tally.first or request.made_at, request.made_at)
    tally.last = max(tally.last, request.made_at)
    if isinstance(their, str) or isinstance(our, str):
        if isinstance(our, str) and not isinstance(their, str):
            tally.errors += 1
            tally.reasons[_without_value(our)] += 1
        return
    for said, answer in zip(tally.predictions, (their, our), strict=True):
        said.append(answer["prediction"] if "probabilities" in answer else _numbers(answer)[0])
    if tally.release.contract.task == "regression":
        return
    flipped = their["prediction"] != our["prediction"]
    _count_segments(tally, request, flipped)
    if flipped:
        tally.flipped += 1
        if len(tally.flips) < MOST_FLIPS:
            tally.flips.append(Flip(id=request.id, champion=_text(their), candidate=_text(our)))


def _without_value(reason: str) -> str:
    """Shorten a reason to the column that is at fault: mails and the release's item hold no value of a row."""
    column, has_value, _ = reason.partition(" = ")
    return f"{column} is refused" if has_value else reason[:200]


def _count_segments(tally: Tally, request: Request, flipped: bool) -> None:
    for column in tally.release.contract.features:
        if column.name in request.features and (column.type == "boolean" or column.categories):
            seen = tally.segments.setdefault((column.name, str(request.features[column.name])), [0, 0])
            seen[0] += 1
            seen[1] += flipped


def _text(answer: Answer | str) -> str:
    return json.dumps({"error": _without_value(answer)} if isinstance(answer, str) else answer["prediction"])


def _busiest(tally: Tally, requests: list[Request], run: ReplaySettings) -> list[Paced]:
    """Return the requests of these rows to send again: what the two models read, of what really came."""
    if run["source"] != Rows.CAPTURED or not run["seconds"]:
        return []
    read = {column.name for model in (tally.champion, tally.release) for column in model.contract.features}
    recorded = (
        Recorded(
            request.made_at,
            request.contract_hash,
            {name: value for name, value in request.features.items() if name in read},
        )
        for request in requests
    )
    return busiest(recorded, run["seconds"])


# ---- all of it


def _summary(tally: Tally, run: ReplaySettings, timed: list[Request]) -> Replayed:
    theirs, ours = tally.predictions
    bins = bins_of(theirs)
    shift = drift.Counts(count(bins, theirs), count(bins, ours))
    return {
        "release": tally.release.release,
        "champion": tally.champion.release,
        "source": run["source"],
        "captured_by": run["captured_by"],
        "rows": tally.rows,
        "first": tally.first,
        "last": tally.last,
        "repeated": tally.repeated,
        "nearly": tally.nearly,
        "differing": tally.differing,
        "difference": tally.difference,
        "unmapped": dict(tally.unmapped),
        "filled": dict(tally.filled),
        "errors": tally.errors,
        "reasons": dict(tally.reasons.most_common(5)),
        "flipped": None if tally.release.contract.task == "regression" else tally.flipped,
        "segments": worst(tally.segments),
        "psi": drift.psi(shift) if theirs else 0.0,
        "psi_p": drift.p_value(shift, ordered=bins.ordered),
        "timed": _timed(tally, timed),
        "flips": tally.flips,
    }


def _timed(tally: Tally, requests: list[Request]) -> dict[str, Any]:
    if not requests:
        return {}
    models = {"champion": tally.champion, "release": tally.release}
    both = side_by_side({name: (one.respond, [one.body([each]) for each in requests]) for name, one in models.items()})
    return {name: {"p50_ms": each.p50_ms, "p99_ms": each.p99_ms} for name, each in both.items()}
