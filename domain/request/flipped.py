"""What outcomes say of rows on which a replay's two releases differ; the other rows are worth the same to both."""

import json
from collections.abc import Iterable
from typing import Any

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.release.counts import LOSSES, Side
from domain.release.evidence import harm_by_decisions, harm_by_value
from domain.release.replay import Flip, Known
from domain.request.compared import of_outcome
from domain.request.outcomes import assess, largest_difference_usd

UNKNOWN: Known = {"outcomes": 0, "candidate_right": 0, "value_usd": None, "log_e": 0.0}


def known_of(contract: Contract, business: Business, rows: Iterable[tuple[Flip, Any]]) -> Known:
    """Weigh flipped rows with their outcomes by the rules of a rollout's pairs: by value where decisions have one."""
    has_values = contract.task == "binary" and bool(largest_difference_usd(business))
    known: Known = {**UNKNOWN, "value_usd": 0.0 if has_values else None}
    sums: dict[str, float] = {}
    for flip, outcome in rows:
        known["outcomes"] += 1
        champion, candidate = json.loads(flip["champion"]), json.loads(flip["candidate"])
        adds = of_outcome(
            contract, business, side=Side.CHAMPION, prediction=champion, other=flip["candidate"], outcome=outcome
        )
        for name, number in adds.items():
            sums[name] = sums.get(name, 0) + number
        if known["value_usd"] is not None:
            worth = [assess(contract, business, prediction=one, outcome=outcome) for one in (candidate, champion)]
            known["value_usd"] += worth[0]["value_usd"] - worth[1]["value_usd"]
    if not known["outcomes"]:
        return UNKNOWN
    known["candidate_right"] = int(sums.get("canary_right", 0))
    known["log_e"] = (
        harm_by_value([sums.get(name, 0.0) for name in LOSSES])
        if has_values
        else harm_by_decisions(int(sums.get("disagreements", 0)), known["candidate_right"])
    )
    return known
