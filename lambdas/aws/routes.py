"""Which release answers, read from DynamoDB every few seconds; an old answer is better than none."""

import logging
import time

from domain.records import ROUTING as ROUTING_ITEM
from domain.records import release_key, routing_key
from domain.release.routing import EMPTY, FRESH_S, champion
from lambdas.aws import tables

LOG = logging.getLogger("fairway")


def read_routing(table: str) -> dict:
    return tables.get(table, routing_key()) or EMPTY


def write_routing(table: str, routing: dict) -> bool:
    """Whether nobody wrote since we read: versions follow each other without a gap."""
    return tables.put_if(
        table,
        {**routing, "item": ROUTING_ITEM},
        condition="attribute_not_exists(#item) OR #version = :read",
        names={"#item": "item", "#version": "version"},
        given={":read": routing["version"] - 1},
    )


class ReleaseUnknown(Exception):
    """The routing names a release that the table does not hold."""


def champion_model(table: str) -> dict | None:
    """{release, model_uri, artefact_sha256, signature} of the release that answers now; None before the first."""
    current = champion(read_routing(table))
    if current is None:
        return None
    release = tables.get(table, release_key(current["release"]))
    if release is None:
        raise ReleaseUnknown(f"champion {current['release']!r} has no item in table {table}; promote another release")
    return {name: release.get(name) for name in ("release", "model_uri", "artefact_sha256", "signature")}


class RoutingCache:
    """The routing as it was at most `fresh_s` ago, or as last seen while it cannot be read; None if never seen."""

    def __init__(self, table: str, read, *, fresh_s: float = FRESH_S, clock=time.monotonic):
        self.table, self.read, self.fresh_s, self.clock = table, read, fresh_s, clock
        self.routing, self.read_at = None, float("-inf")

    def current(self) -> dict | None:
        if self.clock() - self.read_at >= self.fresh_s:
            try:
                self.routing = self.read(self.table)
            except Exception as error:  # whatever DynamoDB has, customers still get an answer
                LOG.warning("routing of %s not read (%s), the last known is used", self.table, type(error).__name__)
            self.read_at = self.clock()
        return self.routing
