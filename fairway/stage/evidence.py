"""Counts of a rollout in the stage's table of evidence, as capture and outcomes add them up."""

from domain.records import from_item, to_attribute
from domain.release.counts import SHARE, Counts, from_items
from fairway.stage.aws import Stage


def counts_of(stage: Stage, rollout: str) -> list[Counts]:
    """Read the counts of each share of a rollout, by rising share; empty before anything was counted."""
    pages = (
        stage.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=stage.addresses["evidence"],
            KeyConditionExpression="#rollout = :rollout AND begins_with(#item, :share)",
            ExpressionAttributeNames={"#rollout": "rollout", "#item": "item"},
            ExpressionAttributeValues={":rollout": to_attribute(rollout), ":share": to_attribute(SHARE)},
            ConsistentRead=True,
        )
    )
    return from_items(from_item(item) for page in pages for item in page["Items"])
