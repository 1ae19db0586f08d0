"""A backtest as lines of a terminal: the table of policies, and the answer to how often to retrain."""

from collections.abc import Sequence

from domain.watch.backtest import Backtest, Beyond, Difference, Tried, best_of, beyond, released
from domain.watch.policies import Policy
from domain.watch.scenarios import in_words
from fairway.terminal.table import table

NONE = "–"


def lines(result: Backtest, changed: Sequence[Difference]) -> list[str]:
    days = f"{result['first']} to {result['until']}, {result['rows']:,} answers"
    return [
        f"{days}; every row was asked about on its day, and every run saw what was known by then",
        *([in_words(result["scenario"])] if result["scenario"] else []),
        *table(rows(result), heads(result)),
        *answer(result),
        *_compared(result, changed),
    ]


def heads(result: Backtest) -> list[str]:
    money = ["value", "beyond never", "training", "net"] if _has_value(result) else ["training"]
    return ["retraining", result["metric"], "wrong", *money, "runs", "released", "alarms", "by the prior"]


def rows(result: Backtest) -> list[list[str]]:
    never = next((each for each in result["policies"] if each["policy"] == Policy.NEVER), None)
    return [_row(result, each, never) for each in result["policies"]]


def _row(result: Backtest, tried: Tried, never: Tried | None) -> list[str]:
    gained = beyond(tried, never) if never and never is not tried else None
    money = [usd(tried["value_usd"]), _gained(gained), usd(tried["training_usd"], 2), usd(tried["net_usd"])]
    quality, wrong, answers = tried["metrics"].get(result["metric"]), tried["wrong"], tried["answers"]
    return [
        tried["policy"],
        NONE if quality is None else f"{quality:.4f}",
        NONE if wrong is None or not answers else f"{wrong / answers:.2%}",
        *(money if _has_value(result) else money[2:3]),
        f"{len(tried['runs']):,}",
        f"{released(tried):,}",
        f"{len(tried['alarms']):,}",
        f"{answers - tried['by_model']:,}",
    ]


def answer(result: Backtest) -> list[str]:
    """Answer how often it needs retraining, as far as the days show it."""
    best, never = best_of(result), next((one for one in result["policies"] if one["policy"] == Policy.NEVER), None)
    if not _has_value(result):
        return [f"Best by {result['metric']}: {best['policy']}"]
    gained = beyond(best, never) if never and never is not best else None
    if gained is None:
        return [f"Best by net value: {best['policy']}{_than_prior(result, best)}"]
    shown = "" if gained.usd > 2 * gained.error else ", which chance explains"
    more = f"{usd(gained.usd)} (± {usd(gained.error)}) more than never{shown}"
    return [f"Best by net value: {best['policy']}, {more}, for {len(best['runs'])} runs{_than_prior(result, best)}"]


def _than_prior(result: Backtest, best: Tried) -> str:
    if result["prior_usd"] is None or best["value_usd"] is None:
        return ""
    return f"; answering every row with the prior would have been worth {usd(result['prior_usd'])}"


def _compared(result: Backtest, changed: Sequence[Difference]) -> list[str]:
    if not changed:
        return []
    cells = [
        [
            one["policy"],
            _signed(one["quality"], "{:+.4f}"),
            *([_signed(one["value_usd"], "{:+,.0f} $")] if _has_value(result) else []),
            _signed(one["training_usd"], "{:+,.2f} $"),
            f"{one['runs']:+}",
            f"{one['alarms']:+}",
        ]
        for one in changed
    ]
    money = ["value"] if _has_value(result) else []
    return [
        "",
        "against the earlier backtest",
        *table(cells, ["retraining", result["metric"], *money, "training", "runs", "alarms"]),
    ]


def _has_value(result: Backtest) -> bool:
    """Whether [business] says what a decision is worth."""
    return any(tried["value_usd"] for tried in result["policies"])


def _gained(gained: Beyond | None) -> str:
    return NONE if gained is None else f"{_signed(gained.usd, '{:+,.0f}')} ± {gained.error:,.0f}"


def _signed(number: float | None, form: str) -> str:
    return NONE if number is None else form.format(number)


def usd(value: float | None, digits: int = 0) -> str:
    if value is None:
        return NONE
    return f"{'-' if value < 0 else ''}${abs(value):,.{digits}f}"
