"""Release, before Promote: the new endpoint must answer the golden rows exactly as training did."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NotRequired, TypedDict, cast

from domain import lake
from domain.request.answers import Score
from lambdas.aws import clients, objects
from lambdas.aws.connections import Unreachable
from lambdas.aws.services import ServiceError
from lambdas.request.scoring import Call, ModelFailed, Row, Scores, ask, failure_of
from lambdas.settings import CONTRACT

LAKE = os.environ["LAKE"]
TOLERANCE = 1e-9  # unless the golden rows have another, as those of a model in float32 do
ROWS_PER_CALL = 100
PATIENCE_S = 50.0  # a serverless endpoint loads its model at the first call


class Golden(TypedDict):
    """Golden rows of a candidate, and the scores that each must get within `within`, relative and absolute."""

    instances: list[Row]
    predictions: list[Score]
    within: NotRequired[float]


class Tried(TypedDict):
    checked: int  # rows


class TrialFailed(Exception):
    """The endpoint does not answer like the model that was judged: it must not be released."""


class EndpointNotReady(Exception):
    """The endpoint does not answer yet; ask again later."""


def handler(event: dict[str, Any], context: object) -> Tried:
    return try_endpoint(
        event["endpoint"],
        golden=_read_golden(event["run"]),
        score=lambda rows: ask(
            clients.sagemaker_runtime(PATIENCE_S),
            Call(event["endpoint"], rows, CONTRACT, event["release"]),
            checked_under=CONTRACT.hash,
        ),
    )


def try_endpoint(endpoint: str, *, golden: Golden, score: Callable[[list[Row]], Scores]) -> Tried:
    """Compare the endpoint's scores with the golden ones. Raises TrialFailed or EndpointNotReady."""
    rows, expected, within = golden["instances"], golden["predictions"], golden.get("within", TOLERANCE)
    if not rows or len(rows) != len(expected):
        raise TrialFailed(
            f"{len(rows)} golden rows with {len(expected)} answers: must be as many, at least one; train again"
        )
    for start in range(0, len(rows), ROWS_PER_CALL):
        scores = _scores(endpoint, rows[start : start + ROWS_PER_CALL], score)
        golden_scores = expected[start : start + ROWS_PER_CALL]
        for number, (wanted, got) in enumerate(zip(golden_scores, scores, strict=True), start):
            if isinstance(got, ModelFailed) or not _is_same(wanted, got, within):
                raise TrialFailed(f"{endpoint} answers golden row {number} with {got}; training answered {wanted}")
    return {"checked": len(rows)}


def _scores(endpoint: str, rows: list[Row], score: Callable[[list[Row]], Scores]) -> Sequence[Score | ModelFailed]:
    try:
        return score(rows).scores
    except ModelFailed as error:
        raise TrialFailed(f"{endpoint}: {error}") from error
    except (ServiceError, Unreachable) as error:
        raise EndpointNotReady(f"{endpoint}: {failure_of(error)}") from error


def _is_same(wanted: Score, got: Score, within: float) -> bool:
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(_is_same(*pair, within) for pair in zip(wanted, got, strict=True))
    if isinstance(wanted, list) or isinstance(got, list):
        return False
    return math.isclose(wanted, got, rel_tol=within, abs_tol=within)


def _read_golden(run: str) -> Golden:
    """Read the golden rows of the candidate that the run's judge chose."""
    verdict = objects.read_json(LAKE, lake.run_key(run, "verdict.json"))
    key = lake.run_key(run, f"golden/{verdict['candidate']}.json") if verdict else lake.run_key(run, "verdict.json")
    golden = verdict and objects.read_json(LAKE, key)
    if golden is None:
        raise TrialFailed(f"{lake.uri(LAKE, key)} is not there; train again")
    return cast(Golden, golden)
