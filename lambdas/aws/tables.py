"""DynamoDB in plain values: the few calls that the functions make, in the low-level notation of domain/records.py."""

import random
import time

from domain.records import from_item, to_attribute, to_item
from lambdas.aws import clients
from lambdas.aws.services import BUSY, ServiceError

ITEMS_PER_WRITE = 25  # the most that BatchWriteItem takes
LONGEST_PAUSE_S = 5.0


class TableBusy(Exception):
    """DynamoDB left items unwritten or unread after every try; trying again later is safe."""


def get(table: str, key: dict) -> dict | None:
    """The item as it is now, or None."""
    reply = clients.dynamodb().call("GetItem", TableName=table, Key=key, ConsistentRead=True)
    return from_item(reply["Item"]) if "Item" in reply else None


def put(table: str, values: dict) -> None:
    clients.dynamodb().call("PutItem", TableName=table, Item=to_item(values))


def put_if(table: str, values: dict, *, condition: str, names: dict | None = None, given: dict | None = None) -> bool:
    """Put the item where the condition holds; False, and nothing written, where it does not."""
    more = {"ExpressionAttributeNames": names} if names else {}
    if given:
        more["ExpressionAttributeValues"] = to_item(given)
    call = {"TableName": table, "Item": to_item(values), "ConditionExpression": condition, **more}
    return held("PutItem", **call)


def update(table: str, key: dict, values: dict, *, once: dict | None = None, only_if_there: bool = False) -> bool:
    """Set `values`, and those of `once` that the item has not yet. False where `only_if_there` and it is not."""
    everything, more = {**values, **(once or {})}, {}
    sets = [f"#{n} = :{n}" for n in range(len(values))]
    sets += [f"#{n} = if_not_exists(#{n}, :{n})" for n in range(len(values), len(everything))]
    names = {f"#{n}": name for n, name in enumerate(everything)}
    if only_if_there:
        more["ConditionExpression"] = "attribute_exists(#key)"
        names["#key"] = next(iter(key))
    return held(
        "UpdateItem",
        TableName=table,
        Key=key,
        UpdateExpression="SET " + ", ".join(sets),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={f":{n}": to_attribute(value) for n, value in enumerate(everything.values())},
        **more,
    )


def held(operation: str, **call) -> bool:
    """Whether the write's condition held."""
    try:
        clients.dynamodb().call(operation, **call)
    except ServiceError as error:
        if error.code == "ConditionalCheckFailedException":
            return False
        raise
    return True


def put_all(table: str, records: list[dict], *, tries: int = 6, sleep=time.sleep) -> None:
    """Put every record, 25 a call; what DynamoDB hands back unprocessed is sent again, ever later. Raises TableBusy."""
    requests = [{"PutRequest": {"Item": to_item(record)}} for record in records]
    for start in range(0, len(requests), ITEMS_PER_WRITE):
        send_all(
            lambda left: write_batch(table, left),
            requests[start : start + ITEMS_PER_WRITE],
            tries=tries,
            sleep=sleep,
        )


def write_batch(table: str, requests: list) -> list:
    """What DynamoDB left unwritten: where it was too busy for any of them it fails the call instead of handing all
    back.
    """
    try:
        reply = clients.dynamodb().call("BatchWriteItem", RequestItems={table: requests})
    except ServiceError as error:
        if error.code in BUSY:
            return requests
        raise
    return reply.get("UnprocessedItems", {}).get(table, [])


def send_all(send, items: list, *, tries: int, sleep) -> None:
    """Call `send` with what is left, which it returns, until nothing is; between tries it waits, ever longer."""
    left = items
    for attempt in range(tries):
        if attempt:
            sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.05 * 2 ** (attempt - 1))))
        left = send(left)
        if not left:
            return
    raise TableBusy(f"DynamoDB left {len(left)} of {len(items)} items after {tries} tries; try again, it is safe")


def query(table: str, **call) -> dict:
    """One page: {items, last}; `last` is where the next page starts, in DynamoDB's notation, or None."""
    reply = clients.dynamodb().call("Query", TableName=table, **call)
    return {"items": [from_item(item) for item in reply["Items"]], "last": reply.get("LastEvaluatedKey")}


def query_all(table: str, **call):
    """Every item, page by page."""
    page = query(table, **call)
    yield from page["items"]
    while page["last"]:
        page = query(table, ExclusiveStartKey=page["last"], **call)
        yield from page["items"]
