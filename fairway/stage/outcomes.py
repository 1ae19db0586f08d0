"""Outcomes in the stage's table."""

from itertools import islice
from typing import Any

from domain.records import from_item
from domain.request.answers import Source
from fairway.stage.aws import Stage

MOST_PAGES = 20  # pages of 1 MB: about 50,000 outcomes, for less than a tenth of a cent


def joined_outcomes(stage: Stage, release: str) -> list[dict[str, Any]]:
    """Read outcomes joined to answers of the release's model: all, or those of the first pages of a scan."""
    pages = (
        stage.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stage.addresses["outcomes"],
            FilterExpression="#release = :release AND #source <> :fallback",
            ExpressionAttributeNames={"#release": "release", "#source": "source"},
            ExpressionAttributeValues={":release": {"S": release}, ":fallback": {"S": Source.FALLBACK.value}},
        )
    )
    return [from_item(item) for page in islice(pages, MOST_PAGES) for item in page["Items"]]
