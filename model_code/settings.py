"""What a job is given beside its rows: contract.json, config.json and run.json, as `lambdas/train/select_window.py` and
`preprocess.py` write them.
"""

import json
from pathlib import Path
from typing import NamedTuple

from domain.config import sections as config_rules
from domain.contract import schema as contract_rules


class JobRefused(Exception):
    """A job cannot do its work with what it was given; the message says what is missing and what to do."""


class Settings(NamedTuple):
    contract: contract_rules.Contract
    config: config_rules.Config
    run: dict


def read_settings(folder: Path) -> Settings:
    return Settings(
        contract=contract_rules.from_dict(read_json(folder / "contract.json")),
        config=config_rules.from_dict(read_json(folder / "config.json")),
        run=read_json(folder / "run.json"),
    )


def read_progress(folder: Path) -> dict[str, int]:
    """Of each shard that an earlier job has begun, by its flat name, the first row that is not scored."""
    file = folder / "progress.json"
    return read_json(file) if file.exists() else {}


def read_json(file: Path):
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise JobRefused(
            f"{file} is not there; the job needs contract.json, config.json and run.json in that folder"
        ) from None
    except ValueError as error:
        raise JobRefused(f"{file} is not JSON: {error}") from None
