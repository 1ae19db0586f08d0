"""Training jobs of a run, one for each candidate."""

import hashlib
import json
import os
import re
from typing import TypedDict

from domain import lake
from domain.train.windows import Window
from lambdas.settings import CONFIG

LAKE = os.environ["LAKE"]
PREFIX = os.environ["ENDPOINT_PREFIX"]
LONGEST_JOB_NAME = 63


class CandidateJob(TypedDict):
    """Values that the state of one training job uses."""

    name: str
    job: str
    hyperparameters: dict[str, str]
    output_uri: str
    checkpoint_uri: str


def artefacts_uri(run: str) -> str:
    return lake.uri(LAKE, lake.artefacts_prefix(run))


def candidate_job(name: str, run: str, window: Window) -> CandidateJob:
    parameters = CONFIG.training.parameters.get(name, {})
    return {
        "name": name,
        "job": job_name(run, name),
        "hyperparameters": {
            "candidate": name,
            "train_start": window["train_start"],
            "evaluate_start": window["evaluate_start"],
            "as_of": window["as_of"],
            "seed": str(CONFIG.training.seed),
            "parameters": json.dumps(parameters, sort_keys=True),
        },
        "output_uri": artefacts_uri(run) + name,
        "checkpoint_uri": lake.uri(LAKE, lake.checkpoints_prefix(run, name)),
    }


def job_name(run: str, candidate: str) -> str:
    """Name a job: first the stage's prefix, to which its roles are restricted; a hash ends a name that is too long."""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", f"{PREFIX}{run}-{candidate}").strip("-")
    if len(name) <= LONGEST_JOB_NAME:
        return name
    return f"{name[: LONGEST_JOB_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
