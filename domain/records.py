"""What the tables hold: every item's keys and shape, and DynamoDB's own notation for them.

    predictions   id                 one stored answer; by_entity: entity_id, made_at
    outcomes      entity_id, event_time    what really happened
    routing       item               `routing`, `rollout`, `release#<release>` of each release, `guard`, `hours`, `loop`
    evidence      rollout, item      counts of a rollout's shares, and what guards them (domain/release/counts.py)
    runs          kind, run          load, train and batch runs; unload: what is left of a load that was taken back

Lambdas speak DynamoDB's low-level notation, so none pays for boto3's resource layer at a cold start.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Attribute = dict[str, Any]  # {type: value}, such as {"N": "1.5"}
Item = dict[str, Attribute]

ROUTING = "routing"
RELEASE = "release#"
ROLLOUT = "rollout"  # the rollout that runs or ran last, and the next one
GUARD = "guard"  # actions of the budget guard this month
LOOP = "loop"  # when people stopped and started retraining by the loop (domain/watch/decision.py)
WOKEN = "hours"  # when a request last asked for sleeping endpoints
REQUEST = "request#"  # id of a stored idempotent request; no prediction's id begins like this
UNKNOWN = "unknown"  # event time of an outcome without a prediction
ROW_DIGITS = 12  # prefix of the ids of a batch's predictions
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-130, 1e126  # largest number that DynamoDB holds


def routing_item(name: str) -> Item:
    """Return the key of one item of the routing table: ROUTING, GUARD, WOKEN, LOOP."""
    return {"item": {"S": name}}


def release_key(release: str) -> Item:
    return routing_item(RELEASE + release)


def routing_key() -> Item:
    return routing_item(ROUTING)


def routing_write(routing: Mapping[str, Any]) -> dict[str, Any]:
    """Return PutItem arguments that change the routing only if nobody wrote it since version - 1 was read.

    If the stored version is not a number, the item is damaged, and any valid routing may replace it.
    """
    item = {**to_item({**routing, "item": ROUTING}), "champion": to_attribute(routing["champion"])}  # or NULL
    return _versioned(item, routing["version"])


def turns_write(turns: Mapping[str, Any]) -> dict[str, Any]:
    """Return PutItem arguments that change the rollout's item only if nobody wrote it since version - 1 was read."""
    return _versioned(to_item({**turns, "item": ROLLOUT}), turns["version"])


def _versioned(item: Item, version: int) -> dict[str, Any]:
    is_damaged = "NOT attribute_type(#version, :number)"
    is_next = "(#version >= :read AND #version < :next)"  # so that 7.5, which is damage too, is followed by 8
    return {
        "Item": item,
        "ConditionExpression": f"attribute_not_exists(#item) OR {is_damaged} OR {is_next}",
        "ExpressionAttributeNames": {"#item": "item", "#version": "version"},
        "ExpressionAttributeValues": to_item({":read": version - 1, ":next": version, ":number": "N"}),
    }


def is_expired(item: Mapping[str, Any], now: datetime) -> bool:
    """Return whether an item has expired; DynamoDB removes expired items late, so readers check here."""
    return "expires_at" in item and bool(item["expires_at"] <= now.timestamp())


def prediction_key(id: str) -> Item:
    return {"id": {"S": id}}


def outcome_key(entity_id: str, event_time: str) -> Item:
    return {"entity_id": {"S": entity_id}, "event_time": {"S": event_time}}


def unjoined_entity(prediction: str) -> str:
    """Return the entity under which an outcome is stored whose prediction was not found."""
    return f"prediction#{prediction}"


def run_key(kind: str, run: str) -> Item:
    return {"kind": {"S": kind}, "run": {"S": run}}


def runs_query(kind: str) -> dict[str, Any]:
    """Return Query arguments that read every run of a kind."""
    return {
        "KeyConditionExpression": "#kind = :kind",
        "ExpressionAttributeNames": {"#kind": "kind"},
        "ExpressionAttributeValues": to_item({":kind": kind}),
    }


def prediction_id(*parts: str) -> str:
    """Return 32 hex digits, the same for the same parts, so that a repeated request stores each answer once."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def batch_prediction_id(run: str, shard: str, row: int) -> str:
    """Return the id of a batch row: 20 digits for its file and 12 for its position, so that whole columns of ids are
    made at once.
    """
    return row_id(shard_id(run, shard), row)


def row_id(shard: str, row: int) -> str:
    return f"{shard}{row:0{ROW_DIGITS}d}"


def shard_id(run: str, shard: str) -> str:
    return prediction_id(run, shard)[:-ROW_DIGITS]


def to_item(values: Mapping[str, Any]) -> Item:
    """Convert plain values to a DynamoDB item; None is omitted."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Item) -> dict[str, Any]:
    return {name: from_attribute(attribute) for name, attribute in item.items()}


def to_attribute(value: object) -> Attribute:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, float):
        return {"N": to_number(value)}
    if isinstance(value, (int, Decimal)):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, dict):
        return {"M": {str(key): to_attribute(inner) for key, inner in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [to_attribute(inner) for inner in value]}
    raise TypeError(
        f"{type(value).__name__} {value!r} cannot be stored; use text, numbers, true/false, lists or tables"
    )


def to_number(value: float) -> str:
    """Write a number; values too small for DynamoDB become 0.

    Raises ValueError for NaN and values that are too large.
    """
    if not abs(value) < LARGEST_NUMBER:  # also false for NaN
        raise ValueError(f"{value} cannot be stored; a number must be finite and below {LARGEST_NUMBER}")
    return repr(value) if abs(value) >= SMALLEST_NUMBER else "0"


def from_attribute(attribute: Attribute) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "M":
        return from_item(value)
    if kind == "L":
        return [from_attribute(inner) for inner in value]
    return None if kind == "NULL" else value
