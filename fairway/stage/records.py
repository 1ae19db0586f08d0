"""What the stage's tables say: runs, releases and the routing, as plain values."""

from collections.abc import Iterator

from domain import records
from domain.release.routing import EMPTY, Routing, mended
from fairway.stage.aws import Stage


def run(stage: Stage, kind: str, name: str) -> dict | None:
    item = (
        stage.client("dynamodb")
        .get_item(TableName=stage.addresses["runs"], Key=records.run_key(kind, name), ConsistentRead=True)
        .get("Item")
    )
    return records.from_item(item) if item else None


def runs(stage: Stage, kind: str) -> Iterator[dict]:
    """Every run of a kind, oldest name first."""
    pages = (
        stage.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=stage.addresses["runs"],
            KeyConditionExpression="#kind = :kind",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues={":kind": {"S": kind}},
            ConsistentRead=True,
        )
    )
    return (records.from_item(item) for page in pages for item in page["Items"])


def routing(stage: Stage) -> Routing:
    item = (
        stage.client("dynamodb")
        .get_item(TableName=stage.addresses["routing"], Key=records.routing_key(), ConsistentRead=True)
        .get("Item")
    )
    return mended(records.from_item(item)) if item else EMPTY


def release(stage: Stage, name: str) -> dict | None:
    item = (
        stage.client("dynamodb")
        .get_item(TableName=stage.addresses["routing"], Key=records.release_key(name), ConsistentRead=True)
        .get("Item")
    )
    return records.from_item(item) if item else None


def releases(stage: Stage) -> list[dict]:
    """Every release, newest first."""
    pages = (
        stage.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=stage.addresses["routing"], ConsistentRead=True)
    )
    found = [records.from_item(item) for page in pages for item in page["Items"]]
    found = [item for item in found if item["item"].startswith(records.RELEASE)]
    return sorted(found, key=lambda item: item.get("created_at", ""), reverse=True)


def with_roles(releases: list[dict], routing: Routing) -> list[dict]:
    """Each release with the role and weight that the routing gives it; none and 0 where it answers nobody."""
    routes = {route["release"]: route for route in routing["routes"]}
    unanswering = {"role": None, "weight": 0}
    found = []
    for item in releases:
        route = routes.get(item["release"], unanswering)
        found.append(
            {"release": item["release"], "role": route["role"], "weight": route["weight"], "state": item.get("state")}
        )
    return found
