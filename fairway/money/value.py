"""The monthly value of a release's decisions: one figure, from the same evidence wherever it is shown."""

import json
from dataclasses import astuple, dataclass
from pathlib import Path

from domain.config.sections import Config
from domain.contract.schema import Contract
from domain.money import worth
from domain.money.projection import Projection
from domain.money.worth import Evidence, Worth, WorthError
from domain.request.answers import fallback_answer
from domain.request.outcomes import LEAST_OUTCOMES
from fairway.terminal.errors import Refused

Counts = dict[str, int]  # counts of right and wrong decisions, by worth.CELLS


@dataclass(frozen=True)
class Value:
    """The figure, and the other evidence: outcomes lead if there are enough, otherwise held-out rows."""

    worth: Worth
    beside: Worth | None = None


def value_of(
    config: Config, contract: Contract, bill: Projection, *, held_out: Counts | None, joined: Counts | None
) -> Value | None:
    """Judge a release by outcomes joined to its answers, and by its held-out rows.

    None if [business] gives no values, or if nothing was counted.
    """
    if not any(astuple(config.business)):
        return None
    counted = [(Evidence.OUTCOMES, joined), (Evidence.HELD_OUT, held_out)]
    known = [(evidence, counts) for evidence, counts in counted if counts and any(counts.values())]
    if len(known) > 1 and sum((joined or {}).values()) < LEAST_OUTCOMES:
        known.reverse()
    judged = [_judge(config, contract, bill, counts, evidence) for evidence, counts in known]
    return Value(*judged) if judged else None


def value_of_file(config: Config, contract: Contract, bill: Projection, file: Path) -> Value:
    """Judge the counts in a JSON file. Raises Refused."""
    try:
        counts = json.loads(file.read_text(encoding="utf-8"))
        return Value(_judge(config, contract, bill, counts, Evidence.OUTCOMES))
    except (ValueError, AttributeError) as error:
        shape = json.dumps(dict.fromkeys(worth.CELLS, 0))
        problem = str(error) if isinstance(error, WorthError) else "not an object of counts"
        raise Refused("decisions", f"{file}: {problem}; write {shape} with what was counted") from None


def _judge(config: Config, contract: Contract, bill: Projection, counts: Counts, evidence: Evidence) -> Worth:
    return worth.judge(
        config.business,
        counts,
        predictions=bill.predictions,
        cost=bill,
        fallback_says_yes=fallback_answer(contract, threshold=config.serving.threshold)["prediction"] is True,
        evidence=evidence,
    )
