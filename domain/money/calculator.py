"""Usage lines for AWS's own calculator: bcm-pricing-calculator BatchCreateWorkloadEstimateUsage."""

from domain.money.resources.lines import Line

MOST_PER_CALL = 25


def usage_lines(lines: list[Line], *, account: str) -> list[list[dict[str, str | float]]]:
    """Return batches of at most 25 usage entries, named by service, usage type and operation, as in our price table."""
    entries: list[dict[str, str | float]] = [
        {
            "serviceCode": line.service,
            "usageType": line.usage_type,
            "operation": line.operation,
            "usageAccountId": account,
            "key": str(number),
            "group": line.flow,
            "amount": line.quantity,
        }
        for number, line in enumerate(lines)
        if line.quantity > 0
    ]
    return [entries[start : start + MOST_PER_CALL] for start in range(0, len(entries), MOST_PER_CALL)]
