"""The routing, read from DynamoDB every few seconds; an old routing is better than none. Releases, each read once."""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from domain.contract.packed import unpacked
from domain.contract.schema import Contract
from domain.packed import unpacked_json
from domain.records import release_key, routing_key, routing_write
from domain.release.routing import EMPTY, FRESH_S, Routing, checked, mended
from domain.train.confidence import ConfidenceTable
from lambdas.aws import tables

LOG = logging.getLogger("fairway")
MADE_FRESH_S = 900.0


class SignedModel(TypedDict):
    """A release as jobs need it: its artefact and the signed hash."""

    release: str
    model_uri: str
    artefact_sha256: str
    signature: str


class ChampionModel(SignedModel):
    """The champion's artefact, and its threshold where it has one of its own."""

    threshold: NotRequired[float]


def read_routing(table: str) -> Routing:
    """Read the routing; EMPTY before the first release. Raises RoutingDamaged."""
    item = tables.get(table, routing_key())
    return checked(item) if item else EMPTY


def mended_routing(table: str) -> Routing:
    """Read the routing for whoever writes the next version: a damaged one is replaced then."""
    item = tables.get(table, routing_key())
    return mended(item) if item else EMPTY


def write_routing(table: str, routing: Routing) -> bool:
    """Write the next version; False, and nothing written, if it was written by others since it was read."""
    return tables.held("PutItem", TableName=table, **routing_write(routing))


class ReleaseUnknown(Exception):
    """Report that the routing names a release that the table does not have."""


def champion_model(table: str) -> ChampionModel | None:
    """Read the champion; None before the first release. Raises ReleaseUnknown."""
    current = read_routing(table)["champion"]
    if current is None:
        return None
    release = read_release_model(table, current["release"])
    if release is None:
        raise ReleaseUnknown(f"champion {current['release']!r} has no item in table {table}; promote another release")
    own = {"threshold": current["threshold"]} if "threshold" in current else {}
    return cast(ChampionModel, {**release, **own})


def read_release_model(table: str, release: str) -> SignedModel | None:
    """Read where a release's artefact is; None if it has no item."""
    item = tables.get(table, release_key(release))
    return cast(SignedModel, {name: item.get(name) for name in SignedModel.__annotations__}) if item else None


def mark(table: str, release: str, values: dict[str, Any]) -> None:
    """Set attributes of a release's item."""
    tables.update(table, release_key(release), {"release": release, **values})


class Made(NamedTuple):
    """The contract that a release was made under, and the table by which it says how sure it is; None without one."""

    contract: Contract
    confidence: ConfidenceTable | None = None


def read_made(table: str, release: str) -> Made | None:
    """Read how a release was made; None if its item has no contract."""
    item = tables.get(table, release_key(release)) or {}
    if not item.get("contract"):
        return None
    confidence = unpacked_json(item["confidence"]) if item.get("confidence") else None
    return Made(unpacked(item["contract"]), confidence)


class ReleasesMade:
    """How releases were made; read again after `fresh_s`, as each training run says anew how sure the champion is."""

    def __init__(
        self,
        table: str,
        read: Callable[[str, str], Made | None],
        *,
        instead: Contract,
        fresh_s: float = MADE_FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.table, self.read, self.instead = table, read, Made(instead)
        self.fresh_s, self.clock = fresh_s, clock
        self.known: dict[str, Made] = {}
        self.read_at: dict[str, float] = {}

    def of(self, release: str) -> Made:
        """Return how the release was made; if it cannot be read, what was read last, or the contract `instead`."""
        now = self.clock()
        if release in self.known and now - self.read_at[release] < self.fresh_s:
            return self.known[release]
        try:
            self.known[release] = self.read(self.table, release) or self.instead
        except Exception as error:  # noqa: BLE001 whatever DynamoDB has, customers still get an answer
            LOG.warning("release %s not read (%s), using what is known", release, type(error).__name__)
        if release in self.known:
            self.read_at[release] = now
        return self.known.get(release, self.instead)

    def contract_of(self, release: str) -> Contract:
        return self.of(release).contract


class RoutingCache:
    """The routing of at most `fresh_s` ago, or the last known one while it cannot be read; None if never read."""

    def __init__(
        self,
        table: str,
        read: Callable[[str], Routing],
        *,
        fresh_s: float = FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.table, self.read, self.fresh_s, self.clock = table, read, fresh_s, clock
        self.routing: Routing | None = None
        self.read_at = float("-inf")

    def current(self) -> Routing | None:
        if self.clock() - self.read_at >= self.fresh_s:
            try:
                self.routing = self.read(self.table)
            except Exception as error:  # noqa: BLE001 whatever DynamoDB has, customers still get an answer
                LOG.warning("routing of %s could not be read, using the last known: %r", self.table, error)
            self.read_at = self.clock()
        return self.routing
