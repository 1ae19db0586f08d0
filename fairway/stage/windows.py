"""The windows of a stage and their verdicts, as the watch flow keeps them, and in words."""

from collections.abc import Iterable
from typing import cast

from domain import records as items
from domain.runs import RunKind
from domain.watch.decision import Carried
from domain.watch.decision import in_words as decision_in_words
from domain.watch.verdict import ALARMS, Finding, Kind, Outcomes, WindowItem
from fairway.stage import records
from fairway.stage.aws import Stage

HEADS = ("window", "state", "answers", "by prior", "moved", "outcomes", "wrong", "value of one", "decided")
NONE = "-"


def windows(stage: Stage) -> list[WindowItem]:
    """Read every window that was watched, the earliest first."""
    return list(records.runs(stage, RunKind.WINDOW))


def window(stage: Stage, name: str) -> WindowItem | None:
    """Read a window by the day that it begins with; None where it was not watched."""
    found = stage.client("dynamodb").get_item(
        TableName=stage.addresses["runs"], Key=items.run_key(RunKind.WINDOW, name), ConsistentRead=True
    )
    return cast(WindowItem, items.from_item(found["Item"])) if "Item" in found else None


def newest(stage: Stage) -> WindowItem | None:
    """Read the newest window that was watched."""
    query = {**items.runs_query(RunKind.WINDOW), "ScanIndexForward": False, "Limit": 1}
    found = stage.client("dynamodb").query(TableName=stage.addresses["runs"], **query)["Items"]
    return cast(WindowItem, items.from_item(found[0])) if found else None


# ---- in words


def row(item: WindowItem) -> tuple[str, ...]:
    """Write a window in one line, under HEADS."""
    fallbacks = sum(sum(one["fallbacks"].values()) for one in item["releases"].values())
    moved = [each for each in item["findings"] if each["kind"] in (Kind.FEATURE, Kind.PREDICTION)]
    outcomes = sum(one["outcomes"] for one in item["outcomes"].values())
    return (
        item["run"],
        item["state"],
        f"{item['rows']:,}",
        f"{100 * fallbacks / item['rows']:.1f} %" if item["rows"] else NONE,
        ", ".join(dict.fromkeys(each.get("column", "answers") for each in moved)) or NONE,
        f"{outcomes:,}{'+' if any(one['is_open'] for one in item['outcomes'].values()) else ''}",
        wrong_share(item["outcomes"].values()),
        _value(item),
        _decided(item),
    )


def wrong_share(known: Iterable[Outcomes]) -> str:
    """Write how many of all outcomes were of wrong answers."""
    counted = [(one["wrong"], one["outcomes"]) for one in known]
    wrong, total = sum(each for each, _ in counted), sum(each for _, each in counted)
    return f"{100 * wrong / total:.1f} %" if total else NONE


def _value(item: WindowItem) -> str:
    valued = [one for one in item["outcomes"].values() if "value_usd" in one and one["outcomes"]]
    total = sum(one["outcomes"] for one in valued)
    return f"${sum(one['value_usd'] * one['outcomes'] for one in valued) / total:,.2f}" if total else NONE


def _decided(item: WindowItem) -> str:
    """Write the decision in a few words: `nothing: no loss`, `retrain: loss`."""
    decision = item.get("decision")
    return f"{decision['action']}: {decision['reason']}" if decision else NONE


def followed(item: WindowItem) -> str:
    """Write the decision with its numbers, and whether it was carried out; empty where none was made yet."""
    decision = item.get("decision")
    if decision is None:
        return ""
    if "run" in decision:
        return f"{decision_in_words(decision)}; {decision['run']} was started"
    why = {"": "", Carried.PAUSED: "; not started, since the loop is paused", Carried.MANUAL: "; a person starts it"}
    return decision_in_words(decision) + why[decision.get("carried", "")]


def in_words(finding: Finding) -> str:
    """Write what was found, since when, and whose column it is."""
    by = [finding.get("source"), finding.get("owner")]
    whose = f"; from {' of '.join(filter(None, by))}" if any(by) else ""
    size = f" (PSI {finding['psi']:.3f}, p {finding['p_value']:.1e})" if "psi" in finding else ""
    since = f", since {finding['since']}" if finding["since"] != finding["window"] else ""
    return f"{finding['kind']}: {finding['text']}{size}{since}{whose}"


def alarms(item: WindowItem) -> list[str]:
    """Write what somebody has to know before all else."""
    return [f"{item['run']}: {in_words(each)}" for each in item["findings"] if Kind(each["kind"]) in ALARMS]
