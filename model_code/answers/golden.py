"""Golden rows: the answers of training, requested again wherever the artefact is opened to answer.

The rows themselves are chosen in `model_code/fitting/golden_rows.py`; a server starts without the libraries for that.
"""

import json
import math
from typing import Any

from domain.contract.schema import Contract
from model_code.answers.answering import answer, respond
from model_code.answers.bodies import Answer, compact, numbers_of
from model_code.artefact.folder import Artefact, ArtefactRefused
from model_code.engines.scorer import Scorer

SAME_WITHIN = 1e-9  # unless the golden rows have a bound of their own: a model in float32 is no surer than that


def golden_answers(contract: Contract, scorer: Scorer, instances: list[dict[str, Any]]) -> list[Answer]:
    """Return the answers to the rows in 12 digits: the last bits differ between machines."""
    answers, _ = answer(contract, scorer, instances)
    return [_rounded(one) for one in answers]


def prove_golden(artefact: Artefact) -> int:
    """Return the number of golden rows, all answered as in training. Raises ArtefactRefused for the first that is not.

    Each is asked twice: row by row, and in the bytes of a request.
    """
    instances, expected = artefact.golden["instances"], artefact.golden["predictions"]
    if len(instances) != len(expected) or not instances:
        raise ArtefactRefused(f"golden.json has {len(expected)} predictions for {len(instances)} instances")
    within = artefact.golden.get("within", SAME_WITHIN)
    by_row, _ = answer(artefact.contract, artefact.scorer, instances)
    by_request = json.loads(respond(artefact, compact({"instances": instances})).body)["predictions"]
    for place, (trained, *asked) in enumerate(zip(expected, by_row, by_request, strict=True)):
        for one in asked:
            if not _same(one, trained, within):
                raise ArtefactRefused(
                    f"golden row {place} is answered {one}, in training it was {trained}; this build scores differently"
                )
    return len(instances)


def _rounded(one: Answer) -> Answer:
    if isinstance(one, list):
        return [float(f"{part:.12g}") for part in one]
    return float(f"{one:.12g}") if isinstance(one, float) else one


def _same(one: Answer, other: Answer, within: float) -> bool:
    if isinstance(one, dict) or isinstance(other, dict):
        return one == other
    left, right = numbers_of(one), numbers_of(other)
    return len(left) == len(right) and all(
        math.isclose(a, b, rel_tol=within, abs_tol=within) for a, b in zip(left, right, strict=True)
    )
