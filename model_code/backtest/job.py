"""The job of a backtest, from the documents and rows of its folder to the result there; `__main__.py` says how."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.watch.backtest import Order
from domain.watch.policies import SpanRefused
from model_code.artefact.folder import as_json
from model_code.backtest.history import History, open_history, sort_into_days
from model_code.backtest.replay import Told, replay
from model_code.backtest.trained import Place, Training
from model_code.settings import JobRefused, read_json, read_settings

_EVERY_S = 0.2


def work(folder: Path, kept: Path) -> int:
    """Replay what a folder orders, and print how far it is; return the exit code."""
    tell = _Telling()
    try:
        contract, config = read_settings(folder)
        order: Order = read_json(folder / "run.json")
        place = Place(kept / "days", kept / "trained", contract, config, order["scenario"])
        with _alone(kept), Training(place, cores=_cores()) as training:  # its processes begin before there are threads
            history = _history(folder, place, order, tell)
            result = replay(history, config, order, training, tell=tell)
    except (JobRefused, SpanRefused) as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return 1
    file = folder / "result.json"
    file.write_bytes(as_json(result))
    print(json.dumps({"done": str(file)}), flush=True)
    return 0


class _Telling:
    """Prints how far it is, a few times a second at most."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, told: Told) -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            print(json.dumps(told), flush=True)


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Hold the folder for this process, and remove what one that was killed left unfinished. Raises JobRefused."""
    with (kept / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JobRefused("another backtest of the same rows is running; wait until it has ended") from None
        for folder in (kept, kept / "trained"):
            for unfinished in folder.glob("unfinished-*"):
                shutil.rmtree(unfinished)
        yield


def _history(folder: Path, place: Place, order: Order, tell: _Telling) -> History:
    if history := open_history(place.history, place.contract, place.scenario):
        return history
    with tempfile.TemporaryDirectory(dir=place.history.parent, prefix="unfinished-") as scratch:
        unfinished = Path(scratch) / "days"
        sort_into_days(
            folder / "parts",
            place.contract,
            unfinished,
            loads=order["loads"],
            duplicates=place.config.data.duplicates,
            tell=lambda rows: tell({"sorted": rows}),
        )
        unfinished.rename(place.history)
    history = open_history(place.history, place.contract, place.scenario)
    assert history is not None, "it was sorted to its end"
    return history


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
