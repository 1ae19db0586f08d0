"""The cost of a change, as a comment on its pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.config.sections import Config
from domain.money.difference import Change
from domain.money.projection import Unpriced

if TYPE_CHECKING:  # cost.py imports this module
    from fairway.money.cost import CostReport

SHOWN = 20  # changes; the largest come first


def comment(report: CostReport, config: Config, compared_with: str) -> str:
    """Write the Markdown of a report that holds a difference."""
    change, bill = report.difference, report.projection
    if change is None:
        raise ValueError("the report has no difference; compare it first")
    head = f"**{config.project.name}, stage {config.stage}: {_signed(change.change_usd)} a month**"
    parts = [
        (
            f"{head} ({_usd(change.before_usd)} at `{compared_with}`, {_usd(change.after_usd)} with this change, "
            f"usage {config.usage.size}; budget {_usd(report.budget_usd)})"
        ),
        _changes(change.changes),
        _unpriced(change.unpriced),
    ]
    if bill.monthly_usd > report.budget_usd:
        parts.append(f"**Above the budget by {_usd(bill.monthly_usd - report.budget_usd)}.**")
    if bill.oldest_price:
        more = f"`fairway cost --compare {compared_with}` shows the rest"
        parts.append(f"List prices, the oldest of {bill.oldest_price}; {more}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _changes(changes: list[Change]) -> str:
    if not changes:
        return "No cost changes by a cent or more."
    rows = [
        (
            f"| {each.resource} | {each.what} | {_usd(each.before_usd)} | {_usd(each.after_usd)} | "
            f"{_signed(each.change_usd)} |"
        )
        for each in changes[:SHOWN]
    ]
    more = [f"\nand {len(changes) - SHOWN} smaller changes"] if len(changes) > SHOWN else []
    heads = ["| resource | what | before | after | change |", "| --- | --- | ---: | ---: | ---: |"]
    return "\n".join([*heads, *rows, *more])


def _unpriced(unpriced: list[Unpriced]) -> str:
    if not unpriced:
        return ""
    return "\n".join(["Not in the total:", *(f"- {each.resource}: {each.why}" for each in unpriced)])


def _usd(amount: float) -> str:
    return f"${amount:,.2f}"


def _signed(amount: float) -> str:
    return f"{'-' if round(amount, 2) < 0 else '+'}{_usd(abs(amount))}"
