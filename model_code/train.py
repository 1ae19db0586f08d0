"""train: the rows of the training window -> one candidate's artefact in /opt/ml/model, the same bytes for the same
input.
"""

import json
import platform
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from domain.contract.schema import Contract
from model_code import paths
from model_code.answers.answering import golden_answers
from model_code.artefact.folder import GOLDEN, as_json, seal, write_model
from model_code.engines.scorer import load_scorer
from model_code.fitting.arithmetic import arithmetic
from model_code.fitting.candidates import build
from model_code.rows.features import model_columns
from model_code.rows.identity import row_values
from model_code.rows.matrices import matrix, target
from model_code.rows.window import WindowRows, read_window
from model_code.settings import JobRefused, read_json, read_settings

CALIBRATED = {"gradient_boosting"}  # a logistic regression is calibrated as it is
CALIBRATION_SHARE = 0.2  # the newest part of the training rows
FEWEST_TO_CALIBRATE = 50  # rows of each class in that part
GOLDEN_ROWS = 12


class Fitted(NamedTuple):
    estimator: object
    fit_rows: int
    calibration: dict | None


def main() -> None:
    given = read_json(paths.hyperparameters())
    contract, config, run = read_settings(paths.channel("contract"))
    window = {name: given.get(name) or run[name] for name in ("train_start", "evaluate_start", "as_of")}
    candidate, seed = given["candidate"], int(given.get("seed", config.training.seed))
    parameters = (
        json.loads(given["parameters"]) if "parameters" in given else config.training.parameters.get(candidate, {})
    )
    rows = read_window(paths.channel("rows"), contract, window, "train")
    fitted = fit(candidate, contract, rows.table, parameters=parameters, seed=seed)
    sha = write(
        paths.model(),
        fitted,
        contract,
        rows,
        about={
            "candidate": candidate,
            "parameters": parameters,
            "seed": seed,
            "data_window": window,
            "code_version": run.get("code_version", ""),
        },
    )
    print(f"{candidate}: trained on {len(rows.table):,} rows, {rows.quarantined:,} quarantined; artefact {sha}")


def fit(candidate: str, contract: Contract, table: pa.Table, *, parameters: dict, seed: int) -> Fitted:
    """Fitted on the rows, which are in the order of time; calibrated on the newest of them where that helps and they
    suffice.

    One thread: the order in which threads add numbers up would show in the last bits.
    """
    labels = target(contract, table)
    refuse_one_class(contract, labels)
    features = matrix(contract, table)
    with threadpool_limits(limits=1):
        cut = calibration_cut(candidate, contract, labels)
        used = with_values(contract, features[:cut])
        estimator = build(candidate, contract, used=used, parameters=parameters, seed=seed)
        fit_or_refuse(candidate, estimator, features[:cut], labels[:cut])
        if cut == len(labels):
            return Fitted(estimator, cut, None)
        calibrated = CalibratedClassifierCV(FrozenEstimator(estimator), method="sigmoid").fit(
            features[cut:], labels[cut:]
        )
    return Fitted(calibrated, cut, {"method": "sigmoid", "rows": len(labels) - cut})


def with_values(contract: Contract, features: np.ndarray) -> list[int]:
    """The places of the features that any row has a value of; nothing can be learnt from the others."""
    used = [
        place
        for place in range(features.shape[1])
        if not all(value is None or value != value for value in features[:, place])
    ]
    if not used:
        raise JobRefused(
            f"every feature of the contract {contract.name!r} is empty in all {len(features):,} rows to train on"
        )
    return used


def fit_or_refuse(candidate: str, estimator, features: np.ndarray, labels: np.ndarray) -> None:
    try:
        estimator.fit(features, labels)
    except ValueError as error:
        raise JobRefused(f"candidate {candidate} cannot be fitted: {str(error).splitlines()[0]}") from error


def refuse_one_class(contract: Contract, labels: np.ndarray) -> None:
    if contract.task == "regression" or len(set(labels.tolist())) > 1:
        return
    found = (
        repr(labels[0].item())
        if contract.task == "multiclass"
        else f"{'' if labels[0] else 'not '}{contract.positive!r}"
    )
    raise JobRefused(
        f"target {contract.target.name!r} is {found} in all {len(labels):,} rows to train on; there is nothing to tell apart"
    )


def calibration_cut(candidate: str, contract: Contract, labels: np.ndarray) -> int:
    """Rows before it are fitted on, rows from it on calibrate; all are fitted on where that part would be too small."""
    if candidate not in CALIBRATED or contract.task == "regression":
        return len(labels)
    cut = int(len(labels) * (1 - CALIBRATION_SHARE))
    counts = [np.unique(part, return_counts=True)[1] for part in (labels[:cut], labels[cut:])]
    classes = len(np.unique(labels))
    enough = all(len(found) == classes and found.min() >= FEWEST_TO_CALIBRATE for found in counts)
    return cut if enough else len(labels)


# ---- the artefact


def write(folder, fitted: Fitted, contract: Contract, rows: WindowRows, *, about: dict) -> str:
    """Writes the artefact; its sha256."""
    model = write_model(folder, fitted.estimator, contract)
    instances = golden_rows(contract, rows.table)
    golden = {"instances": instances, **golden_answers(contract, load_scorer(folder), instances)}
    (folder / GOLDEN).write_bytes(as_json(golden))
    classes = [label.item() for label in getattr(fitted.estimator, "classes_", [])]
    return seal(
        folder,
        {
            **about,
            **model,
            "task": contract.task,
            "classes": classes,
            "contract_hash": contract.hash,
            "columns": model_columns(contract),
            "calibration": fitted.calibration,
            "rows": {"fitted": fitted.fit_rows, "read": len(rows.table), "quarantined": rows.quarantined},
            "versions": {
                "python": platform.python_version(),
                "numpy": version("numpy"),
                "scipy": version("scipy"),
                "scikit-learn": version("scikit-learn"),
            },
            "arithmetic": arithmetic(),
        },
    )


def golden_rows(contract: Contract, table: pa.Table) -> list[dict]:
    """Rows spread over the window, then one with nothing where nothing is allowed, and one with texts never seen."""
    spread = np.unique(np.linspace(0, len(table) - 1, GOLDEN_ROWS).astype(int))
    columns = {column.name: row_values(column, table.take(pa.array(spread))) for column in contract.features}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    empty = {column.name: None for column in contract.features if column.nullable}
    free = {
        c.name: "\u2014 never seen \u2014" for c in contract.features if c.type == "string" and c.categories is None
    }
    return [*rows, {**rows[0], **empty}, {**rows[-1], **free}]
