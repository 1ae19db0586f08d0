"""A line of the projection: so much of something that one resource uses in a month, and what that costs."""

from domain.money.prices import CONFIDENCES, Prices, cost_usd, find, tiers_used
from domain.money.template import Resource

FLOWS = ("train", "request", "batch", "watch", "store")


def line(
    resource: Resource,
    prices: Prices,
    *,
    flow: str,
    what: str,
    price: tuple[str, ...],
    quantity: float,
    fixed: bool = False,
) -> dict:
    """`price` is (service, usage type) or (service, usage type, operation); `fixed` costs the same however much is
    asked.

    Where the table has no such price, unit_usd and monthly_usd are None: unknown, not nothing.
    """
    known = find(prices, *price)
    found = {
        "resource": resource.name,
        "type": resource.type,
        "flow": flow,
        "what": what,
        "unit": known.unit if known else "",
        "quantity": quantity,
        **(priced(known, quantity) if known else UNPRICED),
        "fixed": fixed,
        "service": price[0],
        "usage_type": known.published if known else price[1],
        "operation": price[2] if len(price) > 2 else "",
    }
    return found


UNPRICED = {"unit_usd": None, "monthly_usd": None, "price_date": "", "confidence": "unknown"}


def priced(price, quantity: float) -> dict:
    used, monthly_usd = tiers_used(price, quantity), cost_usd(price, quantity)
    return {
        "unit_usd": monthly_usd / quantity if quantity else used[0].usd,
        "monthly_usd": monthly_usd,
        "price_date": min(tier.dated for tier in used),
        "confidence": max((tier.confidence for tier in used), key=CONFIDENCES.index),
    }
