"""What the tables hold: every item's keys and shape, and DynamoDB's own notation for them.

    predictions   id                 one stored answer; by_entity: entity_id, made_at
    outcomes      entity_id, event_time    what really happened
    routing       item               `routing`, and `release#<release>` for each release
    runs          kind, run          load, train and batch runs

Lambdas speak DynamoDB's low-level notation, so none pays for boto3's resource layer at a cold start.
"""

import hashlib
from decimal import Decimal

ROUTING = "routing"
RELEASE = "release#"
ROW_DIGITS = 12  # of a batch's prediction id
SMALLEST_NUMBER, LARGEST_NUMBER = 1e-130, 1e126  # that DynamoDB holds


def release_key(release: str) -> dict:
    return {"item": {"S": RELEASE + release}}


def routing_key() -> dict:
    return {"item": {"S": ROUTING}}


def run_key(kind: str, run: str) -> dict:
    return {"kind": {"S": kind}, "run": {"S": run}}


def prediction_id(*parts: str) -> str:
    """32 hex digits, the same for the same parts: what makes a retried request or batch store each answer once."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def batch_prediction_id(run: str, shard: str, row: int) -> str:
    """The same of a row of a batch: 20 digits for its file and 12 for its place there, so that whole columns of them
    are made at once.
    """
    return row_id(shard_id(run, shard), row)


def row_id(shard: str, row: int) -> str:
    return f"{shard}{row:0{ROW_DIGITS}d}"


def shard_id(run: str, shard: str) -> str:
    return prediction_id(run, shard)[:-ROW_DIGITS]


def to_item(values: dict) -> dict:
    """Plain values as a DynamoDB item; None and missing are the same."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def from_item(item: dict) -> dict:
    return {name: from_attribute(attribute) for name, attribute in item.items()}


def to_attribute(value) -> dict:
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
    """What is smaller than DynamoDB's numbers is zero to everyone; what is larger is no answer."""
    if not abs(value) < LARGEST_NUMBER:  # NaN too
        raise ValueError(f"{value} cannot be stored; a number must be finite and below {LARGEST_NUMBER}")
    return repr(value) if abs(value) >= SMALLEST_NUMBER else "0"


def from_attribute(attribute: dict):
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "M":
        return from_item(value)
    if kind == "L":
        return [from_attribute(inner) for inner in value]
    return None if kind == "NULL" else value
