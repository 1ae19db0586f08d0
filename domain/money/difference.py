"""Compare two projections: what a change costs."""

from collections import defaultdict
from dataclasses import dataclass

from domain.money.projection import Projection, Unpriced
from domain.money.resources.lines import Line

CENT = 0.005


@dataclass(frozen=True, slots=True)
class Change:
    """Monthly cost of one use of a resource before and after, in dollars."""

    resource: str
    type: str
    what: str
    before_usd: float
    after_usd: float
    change_usd: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Two projections compared: `changes` by size, largest first; `unpriced` has only what the newer one adds."""

    before_usd: float
    after_usd: float
    change_usd: float
    changes: list[Change]
    unpriced: list[Unpriced]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The part of an earlier projection with which a newer one is compared."""

    monthly_usd: float
    lines: list[Line]
    unpriced: list[Unpriced]


def difference(before: Projection | Baseline, after: Projection) -> Difference:
    """Compare two projections; changes below half a cent are omitted."""
    old, new = _by_part(before.lines), _by_part(after.lines)
    changes = [
        Change(*part, old.get(part, 0.0), new.get(part, 0.0), new.get(part, 0.0) - old.get(part, 0.0))
        for part in {**old, **new}
    ]
    known = {(each.resource, each.why) for each in before.unpriced}
    return Difference(
        before_usd=before.monthly_usd,
        after_usd=after.monthly_usd,
        change_usd=after.monthly_usd - before.monthly_usd,
        changes=sorted(
            (each for each in changes if abs(each.change_usd) >= CENT), key=lambda each: -abs(each.change_usd)
        ),
        unpriced=[each for each in after.unpriced if (each.resource, each.why) not in known],
    )


def _by_part(lines: list[Line]) -> dict[tuple[str, str, str], float]:
    """Sum the cost by resource, type and usage type (descriptions may contain a quantity)."""
    costs: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for line in lines:
        costs[line.resource, line.type, f"{line.service} {line.usage_type}"] += line.usd
    return costs
