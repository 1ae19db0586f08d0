"""Models of a backtest: each candidate of each day is trained and measured once, for all policies, and kept.

A folder of `trained/` has the artefact, as the Train job would have written it, and what the Evaluate job would have
measured but for the time of its answers, which a clock would make another one each time. A folder's name is a hash of
all that went into it, so a backtest that was killed, or that has other settings, takes what is there already.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from domain.config import sections as config_rules
from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.release.evaluation import Measured
from domain.timestamps import iso
from domain.train.windows import Window, training_window
from domain.watch.reference import Reference
from domain.watch.scenarios import Scenario
from model_code import evaluate, train
from model_code.answers.golden import prove_golden
from model_code.answers.latency import Latency
from model_code.artefact.archive import pack
from model_code.artefact.folder import Artefact, as_json, open_artefact
from model_code.backtest.history import History, midnight, open_history
from model_code.evaluate import Yardstick, yardstick_of
from model_code.fitting.arithmetic import arithmetic
from model_code.importing.lifetime import die_with_parent
from model_code.rows.window import WindowRows
from model_code.settings import JobRefused
from model_code.watch.reference import feature_references, reference_of

_MODEL, _MEASURED, _INFLUENCE, _REFUSED = "model", "measured.json", "influence.npy", "refused.json"
_SOURCES = (".py", ".cpp", ".hpp")
_LIBRARIES = ("numpy", "pyarrow", "scipy", "scikit-learn")


class Task(NamedTuple):
    """A candidate to train as of the beginning of a day."""

    day: date
    candidate: str


class Place(NamedTuple):
    """What a worker needs: where rows and models are, and the settings."""

    history: Path
    trained: Path
    contract: Contract
    config: Config
    scenario: Scenario | None


class Model(NamedTuple):
    """A candidate that was trained; its measurements lack the time of answers."""

    artefact: Artefact
    size_mb: float
    measured: Measured
    influence: np.ndarray  # (rows,) on the metric that decides
    reference: Reference


@dataclass(frozen=True)
class Refused:
    """Why a candidate could not be trained or measured."""

    reason: str


def untimed(artefact: Artefact, contract: Contract, table: pa.Table) -> Latency:
    """Stand in for the timing of answers: in a backtest every model is as fast as any other."""
    return Latency(0.0, 0.0, 0)


def window_as_of(config: Config, day: date) -> Window:
    return training_window(
        as_of=iso(midnight(day)), window_days=config.data.window_days, evaluate_days=config.data.evaluate_days
    )


def yardstick_as_of(history: History, config: Config, day: date) -> Yardstick:
    """Return the rows that candidates of this day are judged on. Raises JobRefused."""
    window = window_as_of(config, day)
    table = history.part(window, "evaluate", config.monitoring.outcome_days)
    if not len(table):
        raise JobRefused(f"no row to evaluate on from {window['evaluate_start']} to {window['as_of']}")
    return yardstick_of(history.contract, config, table)


# ---- the pool


class Training:
    """Processes that train. What is needed first is trained first; what the calendar will need, meanwhile."""

    def __init__(self, place: Place, *, cores: int) -> None:
        self.place, self._cores = place, cores
        context = get_context("fork" if sys.platform == "linux" else "spawn")  # forked, they import nothing again
        self._pool = ProcessPoolExecutor(cores, mp_context=context, initializer=_begin, initargs=(place,))
        self._futures: dict[Task, Future[str]] = {}
        self._ahead: deque[Task] = deque()
        self.trained = 0

    def __enter__(self) -> Self:
        self._pool.submit(_ready).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def expect(self, days: Iterable[date]) -> None:
        """Take the days that will be asked about, in their order."""
        self._ahead.extend(Task(day, name) for day in days for name in self.place.config.training.candidates)
        self._fill()

    def models_of(self, day: date) -> dict[str, Model | Refused]:
        """Return every candidate of the day, trained on the rows that were known by then."""
        tasks = [Task(day, name) for name in self.place.config.training.candidates]
        for task in tasks:
            self._submit(task)
        found: dict[str, Model | Refused] = {}
        for task in tasks:
            folder = self.place.trained / self._futures[task].result()
            found[task.candidate] = opened(folder, self.place)
            self.trained += 1
            self._fill()
        return found

    def _submit(self, task: Task) -> None:
        if task not in self._futures:
            self._futures[task] = self._pool.submit(_made, task)

    def _fill(self) -> None:
        """Keep every process busy, but no queue before them, which what is needed now would have to wait behind."""
        while self._ahead and sum(not future.done() for future in self._futures.values()) < self._cores:
            self._submit(self._ahead.popleft())


_of_worker: list[Place] = []


def _begin(place: Place) -> None:
    die_with_parent()
    _of_worker.append(place)


def _ready() -> None:
    """Do nothing: the first task begins every process."""


def _made(task: Task) -> str:
    """Train and measure a candidate, unless it is there; return the name of its folder."""
    (place,) = _of_worker
    key = _key(place, task)
    folder = place.trained / key
    if not folder.exists():
        place.trained.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.trained, prefix="unfinished-") as scratch:
            _train_or_note(place, task, Path(scratch) / key)
            _put(Path(scratch) / key, folder)
    measured = folder / _measured_name(place.config)
    if not measured.exists() and not (folder / _REFUSED).exists():
        with tempfile.TemporaryDirectory(dir=place.trained, prefix="unfinished-") as scratch:
            _measure_or_note(place, task, folder, Path(scratch) / measured.name)
            _put(Path(scratch) / measured.name, measured)
    return key


def _put(folder: Path, place: Path) -> None:
    """Move a finished folder to its place, where another process may have put the same one meanwhile."""
    try:
        os.replace(folder, place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(folder)


def _train_or_note(place: Place, task: Task, folder: Path) -> None:
    folder.mkdir()
    history, config = _history(place), place.config
    window = window_as_of(config, task.day)
    parameters = config.training.parameters.get(task.candidate, {})
    try:
        table = history.part(window, "train", config.monitoring.outcome_days)
        if not len(table):
            raise JobRefused(f"no row to train on from {window['train_start']} to {window['evaluate_start']}")
        fitted = train.fit(task.candidate, place.contract, table, parameters=parameters, seed=config.training.seed)
        rows = WindowRows(table, 0, Counter(), 0)
        recipe = train.Recipe(
            candidate=task.candidate,
            parameters=parameters,
            seed=config.training.seed,
            data_window=window,
            code_version="",
        )
        train.write(folder / _MODEL, fitted, place.contract, rows, about=recipe)
        pack(folder / _MODEL, folder / "model.tar.gz")
    except JobRefused as error:
        _note(folder, error)


def _measure_or_note(place: Place, task: Task, model: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        yardstick = yardstick_as_of(_history(place), place.config, task.day)
    except JobRefused as error:
        _note(folder, error)
        return
    artefact = open_artefact(model / _MODEL)
    prove_golden(artefact)
    result = evaluate.measure(yardstick, artefact, _size_mb(model), timed=untimed)
    reference = reference_of(
        artefact.contract,
        place.config.business,
        features=feature_references(yardstick.contract, yardstick.table),
        answers=result.answers,
        measured=result.measured,
    )
    (folder / _MEASURED).write_bytes(as_json({"measured": result.measured, "reference": reference}))
    np.save(folder / _INFLUENCE, result.influence)


def opened(folder: Path, place: Place) -> Model | Refused:
    """Open what a worker made."""
    measured = folder / _measured_name(place.config)
    for noted in (folder / _REFUSED, measured / _REFUSED):
        if noted.exists():
            return Refused(json.loads(noted.read_text())["reason"])
    stored = json.loads((measured / _MEASURED).read_bytes())
    influence = np.load(measured / _INFLUENCE, allow_pickle=False)
    return Model(open_artefact(folder / _MODEL), _size_mb(folder), stored["measured"], influence, stored["reference"])


def _note(folder: Path, error: JobRefused) -> None:
    shutil.rmtree(folder / _MODEL, ignore_errors=True)
    (folder / _REFUSED).write_text(json.dumps({"reason": str(error)}))


def _size_mb(folder: Path) -> float:
    return (folder / "model.tar.gz").stat().st_size / 1e6


def _history(place: Place) -> History:
    history = open_history(place.history, place.contract, place.scenario)
    assert history is not None, "it was written before any worker began"
    return history


# ---- names


def _key(place: Place, task: Task) -> str:
    """Hash all that a candidate's artefact is made of: rows, contract, window, recipe, code and libraries."""
    config = place.config
    made_of = [
        place.contract.hash,
        window_as_of(config, task.day),
        config.monitoring.outcome_days,
        place.scenario if place.scenario and place.scenario["since"] < task.day.isoformat() else None,
        task.candidate,
        config.training.parameters.get(task.candidate, {}),
        config.training.seed,
        _code(),
    ]
    return _hash(made_of)


def _measured_name(config: Config) -> str:
    """Name what a model was measured by, beside what it was trained with."""
    settings = config_rules.as_dict(config)
    return f"by-{_hash([config.benchmarks.metric, config.serving.threshold, settings['business']])}"


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


@lru_cache(maxsize=1)
def _code() -> list[str]:
    """Return what identifies the code that trains and scores: our own files, libraries, and arithmetic."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    files = (file for layer in ("domain", "model_code") for file in (root / layer).rglob("*"))
    for file in sorted(file for file in files if file.suffix in _SOURCES):
        digest.update(file.read_bytes())
    return [digest.hexdigest(), *(version(name) for name in _LIBRARIES), json.dumps(arithmetic(), sort_keys=True)]
