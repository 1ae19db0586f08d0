"""train: the rows of the training window -> one candidate's artefact in /opt/ml/model; same input, same bytes."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from domain.contract.schema import Contract
from domain.train.windows import Window
from model_code import paths
from model_code.answers.golden import golden_answers
from model_code.artefact.folder import GOLDEN, as_json, seal, write_model
from model_code.artefact.manifest import Calibration, Manifest
from model_code.engines.scorer import load_scorer
from model_code.fitting.arithmetic import arithmetic
from model_code.fitting.calibration import calibrated, calibration_cut
from model_code.fitting.candidates import build
from model_code.fitting.golden_rows import golden_rows
from model_code.rows.features import model_columns
from model_code.rows.matrices import matrix, target
from model_code.rows.window import WindowRows, read_window
from model_code.settings import JobRefused, read_json, read_settings, read_train_run, window_of

_LIBRARIES = ("numpy", "scipy", "scikit-learn")


class Fitted(NamedTuple):
    """A fitted estimator; it was fitted on the first `fit_rows`, and calibrated on the rest if at all."""

    estimator: Any
    fit_rows: int
    calibration: Calibration | None


class Recipe(TypedDict):
    """The part of the manifest that a training job is given."""

    candidate: str
    parameters: dict[str, Any]
    seed: int
    data_window: Window
    code_version: str


def main() -> None:
    hyperparameters: dict[str, str] = read_json(paths.hyperparameters())
    contract, config = read_settings(paths.channel("contract"))
    run = read_train_run(paths.channel("contract"))
    candidate = hyperparameters["candidate"]
    parameters = hyperparameters.get("parameters")
    recipe = Recipe(
        candidate=candidate,
        parameters=config.training.parameters.get(candidate, {}) if parameters is None else json.loads(parameters),
        seed=int(hyperparameters.get("seed", config.training.seed)),
        data_window=window_of({**run, **hyperparameters}),
        code_version=run.get("code_version", ""),
    )
    rows = read_window(
        paths.channel("rows"),
        contract,
        recipe["data_window"],
        "train",
        loads=run.get("loads", ()),
        duplicates=config.data.duplicates,
    )
    fitted = fit(candidate, contract, rows.table, parameters=recipe["parameters"], seed=recipe["seed"])
    sha = write(paths.model(), fitted, contract, rows, about=recipe)
    print(
        f"{candidate}: trained on {len(rows.table):,} rows, {rows.quarantined:,} quarantined, "
        f"{rows.replaced:,} replaced by newer ones; artefact {sha}"
    )


def fit(candidate: str, contract: Contract, table: pa.Table, *, parameters: dict[str, Any], seed: int) -> Fitted:
    """Fit the candidate on the rows, which are in the order of time; calibrate it on the newest if there are enough.

    Raises JobRefused if nothing can be learned from the rows. One thread: the order in which threads add numbers would
    change the last bits.
    """
    labels = target(contract, table)
    _refuse_one_class(contract, labels)
    features = matrix(contract, table)
    with threadpool_limits(limits=1):
        cut = calibration_cut(candidate, contract, labels)
        used = _with_values(contract, features[:cut])
        estimator = build(candidate, contract, used=used, parameters=parameters, seed=seed)
        _fit_or_refuse(candidate, estimator, features[:cut], labels[:cut])
        if cut == len(labels):
            return Fitted(estimator, cut, None)
        estimator = calibrated(estimator, features[cut:], labels[cut:])
    return Fitted(estimator, cut, {"method": "sigmoid", "rows": len(labels) - cut})


def write(folder: Path, fitted: Fitted, contract: Contract, rows: WindowRows, *, about: Recipe) -> str:
    """Write the artefact into the folder and return its sha256."""
    model = write_model(folder, fitted.estimator, contract)
    instances = golden_rows(contract, rows.table)
    golden = {"instances": instances, "predictions": golden_answers(contract, load_scorer(folder), instances)}
    (folder / GOLDEN).write_bytes(as_json(golden))
    manifest: Manifest = {
        **about,
        **model,  # type: ignore[typeddict-item]  # mypy asks for the optional keys too
        "task": contract.task,
        "classes": [label.item() for label in getattr(fitted.estimator, "classes_", [])],
        "contract_hash": contract.hash,
        "columns": model_columns(contract),
        "calibration": fitted.calibration,
        "rows": {"fitted": fitted.fit_rows, "read": len(rows.table), "quarantined": rows.quarantined},
        "versions": {"python": platform.python_version(), **{library: version(library) for library in _LIBRARIES}},
        "arithmetic": arithmetic(),
    }
    return seal(folder, manifest)


def _with_values(contract: Contract, features: np.ndarray) -> list[int]:
    """Return the places of the features that have a value in any row; the others cannot be used."""
    used = [
        place
        for place in range(features.shape[1])
        if not all(value is None or value != value for value in features[:, place])
    ]
    if not used:
        raise JobRefused(
            f"every feature of the contract {contract.name!r} is null in all {len(features):,} rows to train on"
        )
    return used


def _fit_or_refuse(candidate: str, estimator: Any, features: np.ndarray, labels: np.ndarray) -> None:
    try:
        estimator.fit(features, labels)
    except ValueError as error:
        raise JobRefused(f"candidate {candidate} cannot be fitted: {str(error).splitlines()[0]}") from error


def _refuse_one_class(contract: Contract, labels: np.ndarray) -> None:
    if contract.task == "regression" or len(set(labels.tolist())) > 1:
        return
    only = (
        repr(labels[0].item())
        if contract.task == "multiclass"
        else f"{'' if labels[0] else 'not '}{contract.positive!r}"
    )
    raise JobRefused(
        f"target {contract.target.name!r} is {only} in all {len(labels):,} rows to train on; "
        "there is nothing to tell apart"
    )
