"""The documents beside a job's rows: contract.json, config.json and run.json, as `lambdas/train/select_window.py`,
`lambdas/batch/preprocess.py` and `lambdas/watch/choose_window.py` write them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from domain.config import sections as config_rules
from domain.contract import schema as contract_rules
from domain.runs import BatchSettings, ReplaySettings, TrainSettings, WatchSettings
from domain.train.windows import Window


class JobRefused(Exception):
    """A job cannot do its work with its input; the message names what is missing and what to do."""


class Settings(NamedTuple):
    contract: contract_rules.Contract
    config: config_rules.Config


def read_settings(folder: Path) -> Settings:
    return Settings(
        contract=contract_rules.from_dict(read_json(folder / "contract.json")),
        config=config_rules.from_dict(read_json(folder / "config.json")),
    )


def read_train_run(folder: Path) -> TrainSettings:
    run: TrainSettings = read_json(folder / "run.json")
    return run


def read_batch_run(folder: Path) -> BatchSettings:
    run: BatchSettings = read_json(folder / "run.json")
    return run


def read_replay_run(folder: Path) -> ReplaySettings:
    run: ReplaySettings = read_json(folder / "run.json")
    return run


def read_watch_run(folder: Path) -> WatchSettings:
    run: WatchSettings = read_json(folder / "run.json")
    return run


def window_of(document: Mapping[str, Any]) -> Window:
    """Return the window among a document's values."""
    return {
        "train_start": document["train_start"],
        "evaluate_start": document["evaluate_start"],
        "as_of": document["as_of"],
    }


def read_progress(folder: Path) -> dict[str, int]:
    """Return the first row that is not scored, by the flat name of each shard that an earlier job has begun."""
    file = folder / "progress.json"
    begun: dict[str, int] = read_json(file) if file.exists() else {}
    return begun


def read_json(file: Path) -> Any:
    """Return a document of the job. Raises JobRefused."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobRefused(
            f"{file} is not there; the job needs contract.json, config.json and run.json in that folder"
        ) from None
    except ValueError as error:
        raise JobRefused(f"{file} is not JSON: {error}; write it again") from None
