"""Lines of the projection: a quantity that one resource uses in a month, and its cost."""

from dataclasses import dataclass

from domain.money.prices import CONFIDENCES, Price, Prices, cost_usd, find, tiers_used
from domain.money.template import Resource

FLOWS = ("train", "request", "batch", "watch", "store")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill; `unit_usd` and `monthly_usd` are None if the price is unknown, which does not mean free."""

    resource: str
    type: str
    flow: str
    what: str
    unit: str
    quantity: float
    unit_usd: float | None
    monthly_usd: float | None
    price_date: str  # empty if unknown
    confidence: str
    fixed: bool  # the cost does not depend on the number of predictions
    service: str
    usage_type: str
    operation: str

    @property
    def usd(self) -> float:
        """Return the monthly cost in dollars of a priced line."""
        return self.monthly_usd or 0.0


def line(
    resource: Resource,
    prices: Prices,
    *,
    flow: str,
    what: str,
    price: tuple[str, ...],
    quantity: float,
    fixed: bool = False,
) -> Line:
    """Price a quantity that a resource uses in a month.

    `price` is (service, usage type) or (service, usage type, operation).
    """
    known = find(prices, *price)
    cost = _priced(known, quantity) if known else UNKNOWN
    return Line(
        resource=resource.name,
        type=resource.type,
        flow=flow,
        what=what,
        unit=known.unit if known else "",
        quantity=quantity,
        unit_usd=cost.unit_usd,
        monthly_usd=cost.monthly_usd,
        price_date=cost.price_date,
        confidence=cost.confidence,
        fixed=fixed,
        service=price[0],
        usage_type=known.published if known else price[1],
        operation=price[2] if len(price) > 2 else "",
    )


@dataclass(frozen=True, slots=True)
class _Cost:
    unit_usd: float | None
    monthly_usd: float | None
    price_date: str
    confidence: str


UNKNOWN = _Cost(None, None, "", "unknown")


def _priced(price: Price, quantity: float) -> _Cost:
    tiers, monthly_usd = tiers_used(price, quantity), cost_usd(price, quantity)
    return _Cost(
        unit_usd=monthly_usd / quantity if quantity else tiers[0].usd,
        monthly_usd=monthly_usd,
        price_date=min(tier.dated for tier in tiers),
        confidence=max((tier.confidence for tier in tiers), key=CONFIDENCES.index),
    )
