"""A projection as text: the bill by flow, then its basis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.config.sections import Config
from domain.money.difference import Difference
from domain.money.prices import OLD_AFTER_DAYS
from domain.money.projection import Projection, Unpriced
from domain.money.resources.lines import FLOWS
from domain.money.worth import Worth
from fairway.terminal.table import table

if TYPE_CHECKING:  # cost.py imports this module
    from fairway.money.cost import CostReport, HostingReport

SHOWN_USD = 0.005  # lines below a cent are summed up


def lines(report: CostReport, config: Config) -> list[str]:
    """Return the bill, its sums, and a part for each other result of the report."""
    parts = [_bill(report.projection), [""], _summary(report, config)]
    if report.projection.unpriced:
        parts += [[""], _unpriced(report.projection.unpriced)]
    if report.difference:
        parts += [[""], _changes(report.difference)]
    if report.hosting:
        parts += [[""], _hosts(report.hosting)]
    if report.worth:
        parts += [[""], _worth(report.worth), [report.worth_beside["sentence"]] if report.worth_beside else []]
    return [line for part in parts for line in part]


def _bill(projection: Projection) -> list[str]:
    shown = [line for line in projection.lines if line.usd >= SHOWN_USD]
    shown.sort(key=lambda line: (FLOWS.index(line.flow), -line.usd))
    rows = [
        (
            line.flow,
            line.resource,
            line.what,
            f"{line.quantity:,.4g} {line.unit}",
            f"{line.unit_usd or 0.0:.10f}".rstrip("0"),
            f"{line.usd:,.2f}",
            "fixed" if line.fixed else "per use",
            line.price_date or "undated",
            line.confidence,
        )
        for line in shown
    ]
    small = [line.usd for line in projection.lines if line.usd < SHOWN_USD]
    heads = ("flow", "resource", "what", "quantity", "USD each", "USD a month", "", "price of", "confidence")
    return [*table(rows, heads), f"and {len(small)} lines of less than a cent, {sum(small):.2f} together"]


def _summary(report: CostReport, config: Config) -> list[str]:
    bill = report.projection
    flows = ", ".join(f"{flow} {usd:,.2f}" for flow, usd in bill.by_flow_usd.items())
    sums = [
        (
            f"{config.project.name}, stage {config.stage}, usage {config.usage.size}: ${bill.monthly_usd:,.2f} a month "
            f"(${bill.low_usd:,.2f} to ${bill.high_usd:,.2f}), budget ${config.budget.monthly_usd:,.2f}"
        ),
        f"  fixed {bill.fixed_usd:,.2f}, per use {bill.per_use_usd:,.2f}; by flow: {flows}",
    ]
    if bill.predictions:
        sums.append(
            f"  {bill.predictions:,.0f} predictions: ${bill.per_thousand_predictions_usd:,.4f} per thousand; "
            f"a thousand more would cost ${bill.next_thousand_predictions_usd:,.4f}"
        )
    if report.lifecycle_saves_usd >= SHOWN_USD:
        sums.append(f"  lifecycle rules save ${report.lifecycle_saves_usd:,.2f} a month")
    return sums + _price_dates(bill)


def _price_dates(bill: Projection) -> list[str]:
    dates = [f"  oldest price: {bill.oldest_price}"] if bill.oldest_price else []
    if bill.old_prices:
        dates.append(f"  older than {OLD_AFTER_DAYS} days: {', '.join(bill.old_prices)}")
    if bill.undated_prices:
        dates.append(f"  undated: {', '.join(bill.undated_prices)}")
    return dates


def _unpriced(unpriced: list[Unpriced]) -> list[str]:
    return ["not in the total:", *(f"  {each.resource} ({each.type}): {each.why}" for each in unpriced)]


def _changes(difference: Difference) -> list[str]:
    rows = [
        (
            each.resource,
            each.what,
            f"{each.before_usd:,.2f}",
            f"{each.after_usd:,.2f}",
            f"{each.change_usd:+,.2f}",
        )
        for each in difference.changes
    ]
    usd = f"{difference.change_usd:+,.2f} USD a month: {difference.before_usd:,.2f} -> {difference.after_usd:,.2f}"
    heads = ("resource", "what", "before", "after", "change")
    return [f"changes the bill by {usd}", *(table(rows, heads) if rows else [])]


def _hosts(hosting: HostingReport) -> list[str]:
    rows = [
        (each["option"], f"{each['monthly_usd']:,.2f}", "; ".join(each["refused"]) or "yes")
        for each in hosting["options"]
    ]
    crossings = [
        f"{each['below']} is cheaper than {each['above']} "
        + (
            f"up to {each['requests']:,.0f} requests a month"
            if each["requests"]
            else "at any traffic, in the shape of this week's"
        )
        for each in hosting["break_even"]
    ]
    return [
        *table(rows, ("host", "USD a month", "may be used")),
        measured_by(hosting["release"]),
        f"cheapest that may be used: {hosting['cheapest'] or 'none'}",
        *crossings,
        hosting["savings_plan"],
    ]


def measured_by(release: str | None) -> str:
    if release:
        return f"p99 and size are those that evaluation measured of the champion, {release}"
    return "no champion is known here: p99 and size are the largest that the benchmarks allow"


def _worth(worth: Worth) -> list[str]:
    sentences = [worth["sentence"]]
    if worth["break_even_predictions"] is not None:
        sentences.append(f"It pays for itself from {worth['break_even_predictions']:,.0f} predictions a month on.")
    return sentences
