"""A captured answer: one row of an hour's file, made from a prediction in the table's stream.

Features, the answer and the probabilities of a multiclass answer are stored as JSON text. So a row does not depend on
the contract of its day, and every number is kept to the last bit.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TypedDict

from domain.timestamps import parse_timestamp

TEXTS = (
    "id",
    "entity_id",
    "event_time",
    "made_at",
    "release",
    "role",
    "rollout",
    "arm",
    "source",
    "reason",
    "cause",
    "prediction",
    "probabilities",
    "features",
    "contract_hash",
)
NUMBERS = ("probability", "share", "latency_ms")
OTHER_TEXTS = ("other_release", "other_prediction", "other_probabilities", "other_reason", "other_cause")
OTHER_NUMBERS = ("other_probability", "other_ms")
# Which records of the predictions table's stream are answers, as Lambda's filters have it: what predict stores has the
# row's features. A batch's rows are in the lake already, and a remembered request is none.
ANSWERS = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"features": {"S": [{"exists": True}]}}}}
_REQUIRED = ("id", "entity_id", "made_at", "source", "reason", "features", "contract_hash")
_AS_JSON = ("prediction", "probabilities")

Row = dict[str, Any]  # text or a number, by column; columns without a value are omitted


class Unreadable(Exception):
    """Report that the item is not an answer stored by predict; the message says what is wrong with it."""


class Other(TypedDict, total=False):
    """Answer of a rollout's other release to the same row, or the reason why there is none.

    What is of a call is at the first of its rows: how long it took, and the cause where it failed as a whole.
    """

    other_release: str
    other_prediction: str  # JSON
    other_probability: float
    other_probabilities: str  # JSON
    other_reason: str
    other_cause: str  # name of the Reason
    other_ms: float


def is_answer(record: Mapping[str, Any]) -> bool:
    """Whether a record of the stream is what ANSWERS lets through."""
    features = record["dynamodb"].get("NewImage", {}).get("features", {})
    return record["eventName"] == "INSERT" and "S" in features


def row_of(item: Mapping[str, Any]) -> Row:
    """Make the row of a stored prediction. Raises Unreadable."""
    problems = [f"{name} = {item.get(name)!r:.100}: must be text" for name in _REQUIRED if not _is_text(item.get(name))]
    problems += [f"{name} = {item[name]!r:.100}: must be a number" for name in NUMBERS if not _is_number(item, name)]
    if "prediction" not in item:
        problems.append("prediction: must be there")
    if problems:
        raise Unreadable("; ".join(problems))
    hour_of(item["made_at"])
    _check_features(item["features"])
    values = {name: item.get(name) for name in (*TEXTS, *NUMBERS)}
    values |= {name: json_text(item[name]) for name in _AS_JSON if item.get(name) is not None}
    return {name: value for name, value in values.items() if value is not None}


def hour_of(made_at: str) -> str:
    """Return the hour of a timestamp in UTC, such as 2013-04-01T08. Raises Unreadable."""
    moment = parse_timestamp(made_at)
    if moment is None:
        raise Unreadable(f"made_at = {made_at!r:.100}: must be ISO 8601 text such as 2013-04-01T08:00:00Z")
    return f"{moment:%Y-%m-%dT%H}"


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(item: Mapping[str, Any], name: str) -> bool:
    """Return whether an optional number is missing or a number."""
    value = item.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value is None or is_number


def _check_features(text: str) -> None:
    try:
        features = json.loads(text)
    except (ValueError, RecursionError):
        features = None
    if not isinstance(features, dict):
        raise Unreadable(f"features = {text!r:.100}: must be a JSON object")
