"""Release, before Promote: the new endpoint must give the golden rows the very answers that training wrote down."""

import math
import os

from domain import lake
from lambdas.aws import clients, objects
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request.scoring import ModelFailed, ask, failure_of
from lambdas.settings import CONTRACT

LAKE = os.environ["LAKE"]
TOLERANCE = 1e-9  # unless the golden rows say otherwise, as those of a model in float32 do
ROWS_PER_CALL = 100
PATIENCE_S = 50.0  # a serverless endpoint loads its model at the first call


class TrialFailed(Exception):
    """The endpoint answers otherwise than the model that was judged: it must not be released."""


class EndpointNotReady(Exception):
    """The endpoint does not answer yet; asking again later is right."""


def handler(event, context):
    return try_endpoint(
        event["endpoint"],
        golden=read_golden(event["run"]),
        score=lambda rows: ask(clients.sagemaker_runtime(PATIENCE_S), event["endpoint"], rows, contract=CONTRACT),
    )


def try_endpoint(endpoint: str, *, golden: dict, score) -> dict:
    """{checked: rows}. `golden` holds instances and the predictions that each must get."""
    rows, expected, within = golden["instances"], golden["predictions"], golden.get("within", TOLERANCE)
    if not rows or len(rows) != len(expected):
        raise TrialFailed(f"{len(rows)} golden rows, {len(expected)} answers; there must be as many, at least one")
    for start in range(0, len(rows), ROWS_PER_CALL):
        given = scores(endpoint, rows[start : start + ROWS_PER_CALL], score)
        for number, (wanted, got) in enumerate(zip(expected[start : start + ROWS_PER_CALL], given, strict=True), start):
            if isinstance(got, ModelFailed) or not same(wanted, got, within):
                found = f"{endpoint} answers golden row {number} with {got}"
                raise TrialFailed(f"{found}, training wrote down {wanted}")
    return {"checked": len(rows)}


def scores(endpoint: str, rows: list[dict], score) -> list:
    try:
        return score(rows).scores
    except ModelFailed as error:
        raise TrialFailed(f"{endpoint}: {error}") from error
    except (ServiceError, Unreachable) as error:
        raise EndpointNotReady(f"{endpoint}: {failure_of(error)}") from error


def same(wanted, got, within: float) -> bool:
    if isinstance(wanted, list):
        return len(wanted) == len(got) and all(same(*pair, within) for pair in zip(wanted, got, strict=True))
    return math.isclose(wanted, got, rel_tol=within, abs_tol=within)


def read_golden(run: str) -> dict:
    """Those of the candidate that the run's judge chose."""
    verdict = objects.read_json(LAKE, lake.run_key(run, "verdict.json"))
    key = lake.run_key(run, f"golden/{verdict['candidate']}.json") if verdict else lake.run_key(run, "verdict.json")
    golden = verdict and objects.read_json(LAKE, key)
    if golden is None:
        raise TrialFailed(f"{lake.uri(LAKE, key)} is not there; train again")
    return golden
