"""A day's rows answered by a release, as the API would have: captured, and later joined to what became of them."""

import json
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.reasons import Reason
from domain.request.answers import Source
from domain.watch.counts import NO_RELEASE
from model_code.answers.answer_columns import answer_columns, has_answer, prior_columns
from model_code.artefact.folder import Artefact
from model_code.rows.identity import row_values
from model_code.rows.matrices import model_batch, target
from model_code.watch.answers import Tally, Yardstick, count_block
from model_code.watch.outcomes import Sums, sums_of


class Requests(NamedTuple):
    """Rows that are asked about on one day, with their features as predict stores them."""

    table: pa.Table
    features: pa.Array  # JSON
    actual: np.ndarray  # what became of each: a boolean of a binary task, else a label or a value


class Answered(NamedTuple):
    """What a release made of a day's requests."""

    captured: Tally
    by_model: Sums  # outcomes of its own answers
    together: Sums  # and with those of the prior, where it gave none
    model_rows: int


def requests_of(contract: Contract, table: pa.Table) -> Requests:
    columns = {column.name: row_values(column, table) for column in contract.features}
    rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    features = pa.array([json.dumps(row, ensure_ascii=False) for row in rows], pa.string())
    actual = target(contract, table)
    return Requests(table, features, actual == 1 if contract.task == "binary" else actual)


def answered(
    contract: Contract, config: Config, requests: Requests, *, release: str, artefact: Artefact, yardstick: Yardstick
) -> Answered:
    """Answer the requests with a model, or with the prior where it gives no answer."""
    scores = artefact.scorer.score_batch(model_batch(artefact.contract, requests.table), refusals=[])
    columns = answer_columns(
        artefact.contract, scores, classes=artefact.manifest["classes"], threshold=config.serving.threshold
    )
    given = has_answer(scores)
    prediction, probability = (_numpy(columns[name], len(given)) for name in ("prediction", "probability"))
    if not given.all():
        other = prior_columns(contract, threshold=config.serving.threshold)
        prediction[~given], probability[~given] = other["prediction"].as_py(), other["probability"].as_py()
    block = _captured(contract, requests, release, prediction, probability, given)
    return Answered(
        captured=count_block(block, {release: yardstick})[release],
        by_model=_sums(contract, config, requests, prediction, probability, given),
        together=_sums(contract, config, requests, prediction, probability, np.ones(len(given), dtype=bool)),
        model_rows=int(given.sum()),
    )


def answered_by_prior(contract: Contract, config: Config, requests: Requests) -> Answered:
    """Answer the requests while there is no release."""
    columns = prior_columns(contract, threshold=config.serving.threshold)
    rows = len(requests.table)
    prediction, probability = (_numpy(columns[name], rows) for name in ("prediction", "probability"))
    none = np.zeros(rows, dtype=bool)
    block = _captured(contract, requests, None, prediction, probability, none)
    counted = count_block(block, {})
    return Answered(
        captured=counted.get(NO_RELEASE, Tally()),
        by_model={},
        together=_sums(contract, config, requests, prediction, probability, ~none),
        model_rows=0,
    )


def prior_sums(contract: Contract, config: Config, table: pa.Table) -> Sums:
    """Return what rows are worth that get the prior, since the contract refuses them."""
    columns = prior_columns(contract, threshold=config.serving.threshold)
    prediction, probability = (_numpy(columns[name], len(table)) for name in ("prediction", "probability"))
    actual = target(contract, table)
    asked = Requests(table, pa.nulls(len(table), pa.string()), actual == 1 if contract.task == "binary" else actual)
    return _sums(contract, config, asked, prediction, probability, np.ones(len(table), dtype=bool))


def _numpy(values: pa.Array | pa.Scalar, rows: int) -> np.ndarray:
    if isinstance(values, pa.Scalar):
        known = values.as_py()
        return np.full(rows, np.nan if known is None else known)
    return np.array(values.to_numpy(zero_copy_only=False))


def _captured(
    contract: Contract,
    requests: Requests,
    release: str | None,
    prediction: np.ndarray,
    probability: np.ndarray,
    given: np.ndarray,
) -> pa.RecordBatch:
    """Write the answers as capture does; only their latency is not known."""
    rows, reason = len(given), Reason.NO_RELEASE if release is None else Reason.NOT_A_NUMBER
    causes = pa.array([None if each else reason.name for each in given], pa.string())
    sources = np.where(given, Source.MODEL.value, Source.FALLBACK.value)
    return pa.RecordBatch.from_pydict(
        {
            "release": pa.array([release] * rows, pa.string()),
            "source": pa.array(sources, pa.string()),
            "cause": causes,
            "reason": causes,
            "prediction": _as_json(prediction),
            "probability": pa.nulls(rows, pa.float64())
            if contract.task == "regression"
            else pa.array(probability, pa.float64()),
            "latency_ms": pa.nulls(rows, pa.float64()),
            "features": requests.features,
        }
    )


def _as_json(values: np.ndarray) -> pa.Array:
    if values.dtype == bool:
        return pa.array(np.where(values, "true", "false"), pa.string())
    return pa.array([json.dumps(value) for value in values.tolist()], pa.string())


def _sums(
    contract: Contract,
    config: Config,
    requests: Requests,
    prediction: np.ndarray,
    probability: np.ndarray,
    counted: np.ndarray,
) -> Sums:
    if not counted.any():
        return {}
    return sums_of(
        contract,
        config.business,
        prediction=prediction[counted],
        probability=probability[counted] if contract.task == "binary" else None,
        actual=requests.actual[counted],
    )
