"""What a change costs: two projections, side by side."""

CENT = 0.005


def difference(before: dict, after: dict) -> dict:
    """{before_usd, after_usd, change_usd, changes: largest first, unpriced: only in `after`}; for a pull request."""
    old, new = by_part(before["lines"]), by_part(after["lines"])
    changes = [
        {
            "resource": key[0],
            "type": key[1],
            "what": key[2],
            "before_usd": old.get(key, 0.0),
            "after_usd": new.get(key, 0.0),
        }
        for key in {**old, **new}
    ]
    changes = [{**each, "change_usd": each["after_usd"] - each["before_usd"]} for each in changes]
    seen = {(each["resource"], each["why"]) for each in before["unpriced"]}
    return {
        "before_usd": before["monthly_usd"],
        "after_usd": after["monthly_usd"],
        "change_usd": after["monthly_usd"] - before["monthly_usd"],
        "changes": sorted(
            (each for each in changes if abs(each["change_usd"]) >= CENT), key=lambda each: -abs(each["change_usd"])
        ),
        "unpriced": [each for each in after["unpriced"] if (each["resource"], each["why"]) not in seen],
    }


def by_part(lines: list[dict]) -> dict[tuple[str, str, str], float]:
    """Cost by resource, type and what is billed (the usage type: the words may hold a quantity)."""
    found: dict[tuple[str, str, str], float] = {}
    for line in lines:
        key = (line["resource"], line["type"], f"{line['service']} {line['usage_type']}")
        found[key] = found.get(key, 0.0) + line["monthly_usd"]
    return found
