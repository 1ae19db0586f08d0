"""Counts of a rollout, as capture and outcomes add them up in the stage's table of evidence."""

from domain.records import from_item, to_attribute
from domain.release.counts import SHARE, Counts, from_items
from fairway.stage.aws import Stage


def counts_of(stage: Stage, rollout: str) -> list[Counts]:
    """Read the counts of each share that a rollout had, by rising share; none where nothing was counted yet."""
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
