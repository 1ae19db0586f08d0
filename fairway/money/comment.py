"""What a change costs, as a comment on its pull request."""

from domain.config.sections import Config

SHOWN = 20  # changes; the largest come first


def comment(found: dict, config: Config, compared_with: str) -> str:
    """Markdown of a projection with its difference (domain/money/difference.py)."""
    change = found["difference"]
    head = f"**{config.project.name}, stage {config.stage}: {signed(change['change_usd'])} a month**"
    parts = [
        (
            f"{head} ({usd(change['before_usd'])} at `{compared_with}`, {usd(change['after_usd'])} with this change, "
            f"usage {config.usage.size}; budget {usd(found['budget_usd'])})"
        ),
        changes(change["changes"]),
        unpriced(change["unpriced"]),
    ]
    if found["monthly_usd"] > found["budget_usd"]:
        parts.append(f"**Above the budget by {usd(found['monthly_usd'] - found['budget_usd'])}.**")
    if found["oldest_price"]:
        parts.append(
            f"List prices, the oldest of {found['oldest_price']}; `fairway cost --compare {compared_with}` shows the rest."
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def changes(found: list[dict]) -> str:
    if not found:
        return "Nothing that is paid for changes by a cent."
    rows = [
        f"| {each['resource']} | {each['what']} | {usd(each['before_usd'])} | {usd(each['after_usd'])} | {signed(each['change_usd'])} |"
        for each in found[:SHOWN]
    ]
    more = [f"\nand {len(found) - SHOWN} smaller changes"] if len(found) > SHOWN else []
    return "\n".join(
        ["| resource | what | before | after | change |", "| --- | --- | ---: | ---: | ---: |", *rows, *more]
    )


def unpriced(found: list[dict]) -> str:
    return (
        "\n".join(["Not in the total:", *(f"- {each['resource']}: {each['why']}" for each in found)]) if found else ""
    )


def usd(amount: float) -> str:
    return f"${amount:,.2f}"


def signed(amount: float) -> str:
    return f"{'-' if round(amount, 2) < 0 else '+'}{usd(abs(amount))}"
