"""Scenarios of a backtest: what a source, or the world, does to the rows from a day on."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import TypedDict

from domain.contract.schema import Column, Contract
from domain.watch.dependents import Unknown, columns_named

LATER = timedelta(days=14)  # that outcomes of a delayed feed come later
FACTOR = 1.609344  # kilometres instead of miles
SHARE = 0.3  # of outcomes that a shock makes others
RISE = 1.3  # of numbers by a shock


class Kind(StrEnum):
    """What happens."""

    UNIT = "unit"  # numbers come in another unit
    CATEGORY = "category"  # the most frequent text has another name
    SOURCE = "source"  # the columns are missing
    UPSTREAM = "upstream"  # a broken deployment upstream: the same value in every row
    PRICE = "price"  # a shock: outcomes are others than such rows had before
    DELAY = "delay"  # outcomes come two weeks later


WORDS = {
    Kind.UNIT: "{} in another unit",
    Kind.CATEGORY: "the most frequent {} renamed",
    Kind.SOURCE: "{} missing",
    Kind.UPSTREAM: "{} the same in every row",
    Kind.PRICE: "other outcomes of like rows",
    Kind.DELAY: "outcomes two weeks later",
}
_OF_THE_WORLD = (Kind.PRICE, Kind.DELAY)
_TYPES = {Kind.UNIT: ("integer", "float"), Kind.CATEGORY: ("string",)}


class Scenario(TypedDict):
    """`columns` change together; a scenario of the world has none."""

    kind: str  # a Kind
    columns: list[str]
    since: str  # ISO date


class ScenarioRefused(ValueError):
    """Report a scenario that cannot be; the message says what can."""


def scenario_of(contract: Contract, *, kind: str, name: str | None, since: date) -> Scenario:
    """Return the scenario of a column, or of the columns of a source or an owner. Raises ScenarioRefused."""
    if kind not in tuple(Kind):
        raise ScenarioRefused(f"--scenario {kind}: must be one of {', '.join(Kind)}")
    known = Kind(kind)
    if known in _OF_THE_WORLD and name is None:
        return {"kind": known.value, "columns": [], "since": since.isoformat()}
    if known in _OF_THE_WORLD:
        raise ScenarioRefused(f"--of {name}: must be left out with --scenario {known.value}, which is about outcomes")
    if name is None:
        raise ScenarioRefused(f"--scenario {known.value}: needs --of, a column, source or owner of the contract")
    try:
        found = columns_named(contract, name)
    except Unknown as error:
        raise ScenarioRefused(f"--of {error}") from None
    return {"kind": known.value, "columns": _changeable(known, name, found), "since": since.isoformat()}


def _changeable(kind: Kind, name: str, columns: Sequence[Column]) -> list[str]:
    types = _TYPES.get(kind)
    found = [column.name for column in columns if column.role == "feature" and (not types or column.type in types)]
    if not found:
        wanted = f"feature of type {' or '.join(types)}" if types else "feature"
        raise ScenarioRefused(f"--of {name}: must have a {wanted} for --scenario {kind.value}")
    return found


def in_words(scenario: Scenario) -> str:
    return f"{WORDS[Kind(scenario['kind'])].format(', '.join(scenario['columns']))} from {scenario['since']} on"


def outcome_days(scenario: Scenario | None, day: date, usual: int) -> timedelta:
    """Return how long after the end of a day its outcomes have come."""
    delayed = scenario is not None and scenario["kind"] == Kind.DELAY and scenario["since"] <= day.isoformat()
    return timedelta(days=usual) + (LATER if delayed else timedelta())
