"""Train, first state: select the rows to learn from and to judge on, and everything that the run's jobs need."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict, cast

from domain import lake
from domain.config import sections as config
from domain.contract import schema as contract
from domain.money import spending
from domain.records import GUARD, routing_item, run_key, runs_query
from domain.runs import LoadItem, RunKind, RunStatus, TrainItem, TrainSettings
from domain.timestamps import iso
from domain.train.data_hash import data_hash
from domain.train.windows import Part, Window, checked_run, overlapping, training_window
from lambdas.aws import objects, signatures, tables
from lambdas.aws.routes import SignedModel, champion_model
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT
from lambdas.train.candidates import CandidateJob, artefacts_uri, candidate_job

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]

Write = Callable[[str, object], None]  # writes a document to the lake, by key


class Request(TypedDict):
    """Input of the flow."""

    run: str
    as_of: str
    window_days: NotRequired[int]
    evaluate_days: NotRequired[int]
    imported: NotRequired[bool]  # its only candidate exists already: nothing is trained, everything else is the same
    only_evaluate: NotRequired[bool]  # nothing is trained: its candidates are those of the champion's run


class LoadedPart(Part):
    """A part, its load, and when that was loaded: microseconds since 1970."""

    load: str
    loaded: int


class Counts(TypedDict):
    train_rows: int
    evaluate_rows: int


class Champion(TypedDict):
    release: str
    model_uri: str


class Selection(Window, Counts):
    """Values that the next states of the flow use."""

    run: str
    settings_uri: str
    train_manifest: str
    evaluate_manifest: str
    artefacts_uri: str
    candidates: list[CandidateJob]
    champion: Champion | None


class NoRows(Exception):
    """Report that a window has no rows to learn from, or none to judge on."""


class BudgetSpent(Exception):
    """Report that the guard stopped new training runs; the message says how to allow them again."""


class NothingToEvaluate(Exception):
    """Report that a run which trains nothing has no champion whose candidates it could judge."""


def handler(event: Request, context: object) -> Selection:
    done = cast(spending.Done | None, tables.get(ROUTING, routing_item(GUARD)))
    _refuse_when_spent(done, now=iso(datetime.now(UTC)))
    return select_window(
        event,
        parts=_read_parts(),
        champion=champion_model(ROUTING),
        verify=signatures.verify,
        write=lambda key, document: objects.write_json(LAKE, key, document),
        record=_record_run,
    )


def _refuse_when_spent(done: spending.Done | None, *, now: str) -> None:
    """Raise BudgetSpent by the real time, whatever time the run is about."""
    refused = spending.refusal(done, now=now)
    if refused:
        raise BudgetSpent(refused)


def select_window(
    request: Request,
    *,
    parts: Iterable[LoadedPart],
    champion: SignedModel | None,
    verify: Callable[[Mapping[str, Any]], None],
    write: Write,
    record: Callable[[str, TrainItem], None],
) -> Selection:
    """Select the parts of the window, and write the settings and manifests that the run's jobs read.

    Raises NoRows, NothingToEvaluate, WindowError, RunRefused, and SignatureRefused for a champion that this stage did
    not sign.
    """
    run, trains = checked_run(request["run"]), not (request.get("imported") or request.get("only_evaluate"))
    if champion:
        verify(champion)
    window = training_window(
        as_of=request["as_of"],
        window_days=request.get("window_days") or CONFIG.data.window_days,
        evaluate_days=request.get("evaluate_days") or CONFIG.data.evaluate_days,
    )
    tally = _Tally()
    within = overlapping(tally.count(parts), window["train_start"], window["as_of"])
    train = _rows_between(within, window["train_start"], window["evaluate_start"], "train on", tally) if trains else []
    evaluate = _rows_between(within, window["evaluate_start"], window["as_of"], "evaluate on", tally)
    loads = _loads_of([*train, *evaluate])
    artefacts = _artefacts_of_the_champion(champion) if request.get("only_evaluate") else artefacts_uri(run)
    settings = _settings(request, window, loads, champion, artefacts)
    write(lake.run_key(run, "settings/contract.json"), contract.as_dict(CONTRACT))
    write(lake.run_key(run, "settings/config.json"), config.as_dict(CONFIG))
    write(lake.run_key(run, "settings/run.json"), settings)
    write(lake.run_key(run, "train.manifest"), _manifest(train))
    write(lake.run_key(run, "evaluate.manifest"), _manifest(evaluate))
    counts: Counts = {"train_rows": _rows(train), "evaluate_rows": _rows(evaluate)}
    selected: TrainItem = {
        "train_rows": counts["train_rows"],
        "evaluate_rows": counts["evaluate_rows"],
        "data_hash": data_hash(window, train, evaluate, loads=loads, duplicates=CONFIG.data.duplicates),
    }
    record(run, {**selected, **window})
    jobs = [candidate_job(name, run, window) for name in CONFIG.training.candidates] if trains else []
    return _selection(settings, window, counts, jobs, champion)


def _artefacts_of_the_champion(champion: SignedModel | None) -> str:
    """Return the folder of the candidates of the champion's run."""
    if champion is None:
        raise NothingToEvaluate("no release answers yet, so no run has candidates to judge; train first")
    return artefacts_uri(champion["model_uri"].removeprefix(lake.uri(LAKE, lake.ARTEFACTS)).partition("/")[0])


def _selection(
    settings: TrainSettings, window: Window, counts: Counts, jobs: list[CandidateJob], champion: SignedModel | None
) -> Selection:
    run = settings["run"]
    return {
        "run": run,
        **window,
        **counts,
        "settings_uri": lake.uri(LAKE, lake.run_key(run, "settings/")),
        "train_manifest": lake.uri(LAKE, lake.run_key(run, "train.manifest")),
        "evaluate_manifest": lake.uri(LAKE, lake.run_key(run, "evaluate.manifest")),
        "artefacts_uri": settings["artefacts_uri"],
        "candidates": jobs,
        "champion": {"release": champion["release"], "model_uri": champion["model_uri"]} if champion else None,
    }


def _loads_of(parts: list[LoadedPart]) -> list[str]:
    """Name the loads of the parts, oldest first: of two duplicates, the one that was loaded last counts."""
    return [load for _, load in sorted({(part["loaded"], part["load"]) for part in parts})]


@dataclass(slots=True)
class _Tally:
    """Counts of the lake's rows, whatever their window, for the error message."""

    rows: int = 0
    first: str | None = None
    last: str | None = None

    def count(self, parts: Iterable[LoadedPart]) -> Iterator[LoadedPart]:
        """Count parts while iterating: years of loads need not fit into memory, only those in the window."""
        for part in parts:
            self.rows += part["rows"]
            if part["first"] is not None and part["last"] is not None:
                self.first = min(self.first or part["first"], part["first"])
                self.last = max(self.last or part["last"], part["last"])
            yield part

    def __str__(self) -> str:
        if not self.rows:
            return "the lake is empty: load rows with `fairway load FILE`"
        return f"the lake has {self.rows:,} rows from {self.first} to {self.last}: load more, or choose another --as-of"


def _rows_between(parts: list[LoadedPart], start: str, end: str, purpose: str, tally: _Tally) -> list[LoadedPart]:
    """Select the parts with rows in the window; jobs leave out the other rows of these parts."""
    within = sorted(overlapping(parts, start, end), key=lambda part: part["key"])
    if not _rows(within):
        raise NoRows(f"no rows to {purpose} from {start} to {end}; {tally}")
    return within


def _rows(parts: list[LoadedPart]) -> int:
    return sum(part["rows"] for part in parts)


def _manifest(parts: list[LoadedPart]) -> list[dict[str, str] | str]:
    """Make SageMaker's ManifestFile: the keys' common folder, as AWS does not document a bare bucket, then the rest of
    each key.
    """
    return [{"prefix": lake.uri(LAKE, lake.ROWS)}, *(part["key"].removeprefix(lake.ROWS) for part in parts)]


def _settings(
    request: Request, window: Window, loads: list[str], champion: SignedModel | None, artefacts: str
) -> TrainSettings:
    return {
        "run": request["run"],
        "imported": request.get("imported", False),
        **window,
        "artefacts_uri": artefacts,
        "loads": loads,
        "champion": champion["release"] if champion else None,
        "champion_sha256": champion["artefact_sha256"] if champion else None,
        "code_version": CODE_VERSION,
    }


# ---- effects


def _read_parts() -> Iterator[LoadedPart]:
    """Read the parts of every load; a file in the lake that no load names does not count."""
    loads = cast(Iterator[LoadItem], tables.query_all(RUNS, **runs_query(RunKind.LOAD), ConsistentRead=True))
    return (part for load in loads for part in _parts_of(load))


def _parts_of(load: LoadItem) -> list[LoadedPart]:
    parts: list[Part] = json.loads(load["parts"])
    return [{**part, "load": load["run"], "loaded": load.get("loaded_us", 0)} for part in parts]


def _record_run(run: str, selected: TrainItem) -> None:
    """Mark the run as running. The clock is read only for this record: no result depends on it."""
    running: TrainItem = {
        "status": RunStatus.RUNNING,
        "contract_hash": CONTRACT.hash,
        "code_version": CODE_VERSION,
        **selected,
    }
    tables.update(RUNS, run_key(RunKind.TRAIN, run), running, once={"started_at": iso(datetime.now(UTC))})
