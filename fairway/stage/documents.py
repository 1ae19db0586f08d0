"""Documents that a run left in the lake: settings, evaluation, verdict."""

import json
from typing import Any

from domain import lake
from fairway.stage.aws import Stage


def run_document(stage: Stage, run: str, name: str) -> Any:
    """Read a JSON file of a run; None if the lake does not have it."""
    s3 = stage.client("s3")
    try:
        found = s3.get_object(Bucket=stage.addresses["lake"], Key=lake.run_key(run, name))
    except s3.exceptions.NoSuchKey:
        return None
    return json.loads(found["Body"].read())
