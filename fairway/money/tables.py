"""A projection as people read it: the bill by flow, then what it rests on."""

from domain.config.sections import Config
from domain.money.prices import OLD_AFTER_DAYS
from domain.money.resources.lines import FLOWS
from fairway.terminal.table import table

SHOWN_USD = 0.005  # lines of less than a cent are summed up


def lines(found: dict, config: Config) -> list[str]:
    parts = [bill(found), [""], summary(found, config)]
    for key, told in (("unpriced", unpriced), ("difference", changes), ("hosting", hosts), ("worth", worth)):
        if found.get(key):
            parts += [[""], told(found[key])]
    return [line for part in parts for line in part]


def bill(found: dict) -> list[str]:
    shown = [line for line in found["lines"] if line["monthly_usd"] >= SHOWN_USD]
    shown.sort(key=lambda line: (FLOWS.index(line["flow"]), -line["monthly_usd"]))
    rows = [
        (
            line["flow"],
            line["resource"],
            line["what"],
            f"{line['quantity']:,.4g} {line['unit']}",
            f"{line['unit_usd']:.10f}".rstrip("0"),
            f"{line['monthly_usd']:,.2f}",
            "fixed" if line["fixed"] else "per use",
            line["price_date"] or "undated",
            line["confidence"],
        )
        for line in shown
    ]
    small = [line["monthly_usd"] for line in found["lines"] if line["monthly_usd"] < SHOWN_USD]
    heads = ("flow", "resource", "what", "quantity", "USD each", "USD a month", "", "price of", "confidence")
    return [*table(rows, heads), f"and {len(small)} lines of less than a cent, {sum(small):.2f} together"]


def summary(found: dict, config: Config) -> list[str]:
    flows = ", ".join(f"{flow} {usd:,.2f}" for flow, usd in found["by_flow_usd"].items())
    told = [
        (
            f"{config.project.name}, stage {config.stage}, usage {config.usage.size}: ${found['monthly_usd']:,.2f} a month "
            f"(${found['low_usd']:,.2f} to ${found['high_usd']:,.2f}), budget ${config.budget.monthly_usd:,.2f}"
        ),
        f"  fixed {found['fixed_usd']:,.2f}, per use {found['per_use_usd']:,.2f}; by flow: {flows}",
    ]
    if found["predictions"]:
        told.append(
            f"  {found['predictions']:,.0f} predictions: ${found['per_thousand_predictions_usd']:,.4f} per thousand; "
            f"a thousand more would cost ${found['next_thousand_predictions_usd']:,.4f}"
        )
    if found["lifecycle_saves_usd"] >= SHOWN_USD:
        told.append(f"  lifecycle rules save ${found['lifecycle_saves_usd']:,.2f} a month")
    return told + price_dates(found)


def price_dates(found: dict) -> list[str]:
    told = [f"  oldest price: {found['oldest_price']}"] if found["oldest_price"] else []
    if found["old_prices"]:
        told.append(f"  older than {OLD_AFTER_DAYS} days: {', '.join(found['old_prices'])}")
    if found["undated_prices"]:
        told.append(f"  undated: {', '.join(found['undated_prices'])}")
    return told


def unpriced(found: list[dict]) -> list[str]:
    return ["not in the total:", *(f"  {each['resource']} ({each['type']}): {each['why']}" for each in found)]


def changes(found: dict) -> list[str]:
    rows = [
        (
            each["resource"],
            each["what"],
            f"{each['before_usd']:,.2f}",
            f"{each['after_usd']:,.2f}",
            f"{each['change_usd']:+,.2f}",
        )
        for each in found["changes"]
    ]
    total = f"changes the bill by {found['change_usd']:+,.2f} USD a month: {found['before_usd']:,.2f} -> {found['after_usd']:,.2f}"
    return [total, *(table(rows, ("resource", "what", "before", "after", "change")) if rows else [])]


def hosts(found: dict) -> list[str]:
    rows = [
        (each["option"], f"{each['monthly_usd']:,.2f}", "; ".join(each["refused"]) or "yes")
        for each in found["options"]
    ]
    crossings = [
        f"{each['below']} is cheaper than {each['above']} "
        + (
            f"up to {each['requests']:,.0f} requests a month"
            if each["requests"]
            else "at any traffic, in the shape of this week's"
        )
        for each in found["break_even"]
    ]
    return [
        *table(rows, ("host the model on", "USD a month", "may be used")),
        measured_by(found["release"]),
        f"cheapest that may be used: {found['cheapest'] or 'none'}",
        *crossings,
        found["savings_plan"],
    ]


def measured_by(release: str | None) -> str:
    if release:
        return f"p99 and size are those that evaluation measured of the champion, {release}"
    return "no champion is known here: p99 and size are taken to be the most that the benchmarks allow"


def worth(found: dict) -> list[str]:
    told = [found["sentence"]]
    if found["break_even_predictions"] is not None:
        told.append(f"It pays for itself from {found['break_even_predictions']:,.0f} predictions a month on.")
    return told
