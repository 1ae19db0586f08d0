"""DynamoDB in plain values: the few calls that the functions need, in the low-level notation of domain/records.py."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

from domain.records import Item, from_item, to_attribute, to_item
from lambdas.aws import clients
from lambdas.aws.services import BUSY, DynamoDB, ServiceError

MOST_WRITES = 100  # of a transaction
# reasons of a cancelled transaction
PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
ITEMS_PER_WRITE = 25  # limit of BatchWriteItem
LONGEST_PAUSE_S = 5.0
Values = dict[str, Any]  # an item in plain values
Request = dict[str, Any]  # of BatchWriteItem
Sent = TypeVar("Sent")


class Page(TypedDict):
    """A page of a query; `last` is where the next page starts, in DynamoDB's notation, or None."""

    items: list[Values]
    last: Item | None


class TableBusy(Exception):
    """Report that DynamoDB left items unwritten or unread after every attempt; trying again later is safe."""


def get(table: str, key: Item) -> Values | None:
    """Read the current item; None if it does not exist."""
    reply = clients.dynamodb().call("GetItem", TableName=table, Key=key, ConsistentRead=True)
    return from_item(reply["Item"]) if "Item" in reply else None


def put(table: str, values: Mapping[str, Any]) -> None:
    clients.dynamodb().call("PutItem", TableName=table, Item=to_item(values))


def remove_if(table: str, key: Item, *, condition: str, given: Mapping[str, Any]) -> bool:
    """Delete the item, and return whether the condition held."""
    values = to_item(given)
    return held("DeleteItem", TableName=table, Key=key, ConditionExpression=condition, ExpressionAttributeValues=values)


def put_if(
    table: str,
    values: Mapping[str, Any],
    *,
    condition: str,
    names: dict[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> bool:
    """Put the item if the condition holds; otherwise write nothing and return False.

    `names` and `given` are the attributes and plain values that the condition refers to as #name and :value.
    """
    more: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    if given:
        more["ExpressionAttributeValues"] = to_item(given)
    return held("PutItem", TableName=table, Item=to_item(values), ConditionExpression=condition, **more)


def update(
    table: str,
    key: Item,
    values: Mapping[str, Any],
    *,
    once: Mapping[str, Any] | None = None,
    only_if_there: bool = False,
) -> bool:
    """Set `values`, and those of `once` that the item does not have yet.

    With `only_if_there` a missing item is not created, and False is returned.
    """
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


def held(operation: str, **call: Any) -> bool:
    """Write, and return whether the condition held."""
    try:
        clients.dynamodb().call(operation, **call)
    except ServiceError as error:
        if error.code == "ConditionalCheckFailedException":
            return False
        raise
    return True


def put_once(table: str, items: Sequence[Values], updates: list[dict[str, Any]]) -> list[int]:
    """Put all items and make all updates (given as the arguments of UpdateItem), or none.

    Returns the numbers of the items that already exist, in which case nothing was written; empty if everything was.
    Raises TableBusy.
    """
    keys = "attribute_not_exists(#item)"
    puts = [{"Put": {"TableName": table, "Item": to_item(item), **condition(keys, "item")}} for item in items]
    writes = [*puts, *({"Update": {"TableName": table, **update}} for update in updates)]
    return [number for number in refused(writes) if number < len(puts)]


def condition(expression: str, name: str) -> dict[str, Any]:
    return {"ConditionExpression": expression, "ExpressionAttributeNames": {f"#{name}": name}}


def adding(key: Item, numbers: Mapping[str, float | Decimal]) -> dict[str, Any]:
    """Make the arguments of an UpdateItem that adds to numbers, from 0 where the item has none."""
    names = {f"#{n}": name for n, name in enumerate(numbers)}
    values = {f":{n}": to_attribute(number) for n, number in enumerate(numbers.values())}
    expression = "ADD " + ", ".join(f"#{n} :{n}" for n in range(len(numbers)))
    return {
        "Key": key,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def refused(writes: list[dict[str, Any]], *, tries: int = 10, sleep: Callable[[float], None] = time.sleep) -> list[int]:
    """Make all the writes or none, and return the numbers of those whose condition did not hold.

    Waits for others that write the same items at the same time. Raises TableBusy.
    """
    for attempt in range(tries):
        try:
            clients.dynamodb().call("TransactWriteItems", TransactItems=writes)
            return []
        except ServiceError as error:
            reasons = [reason.get("Code") for reason in error.more.get("CancellationReasons") or []]
            held_not = [number for number, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
            if held_not:
                return held_not
            if not (error.code in BUSY or set(reasons) & PASSING):
                raise
        sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.05 * 2**attempt)))
    raise TableBusy(f"{len(writes)} writes conflicted with others {tries} times; trying again is safe")


def put_all(
    table: str,
    records: Sequence[Mapping[str, Any]],
    *,
    tries: int = 6,
    client: Callable[[], DynamoDB] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Put every record, 25 a call; unprocessed ones are sent again with growing pauses. Raises TableBusy."""
    requests: list[Request] = [{"PutRequest": {"Item": to_item(record)}} for record in records]
    for start in range(0, len(requests), ITEMS_PER_WRITE):
        send_all(
            lambda left: _write_batch((client or clients.dynamodb)(), table, left),
            requests[start : start + ITEMS_PER_WRITE],
            tries=tries,
            sleep=sleep,
        )


def _write_batch(client: DynamoDB, table: str, requests: list[Request]) -> list[Request]:
    """Return the requests that were not processed; DynamoDB fails the whole call if it was too busy for all of them."""
    try:
        reply = client.call("BatchWriteItem", RequestItems={table: requests})
    except ServiceError as error:
        if error.code in BUSY:
            return requests
        raise
    left: list[Request] = reply.get("UnprocessedItems", {}).get(table, [])
    return left


def send_all(
    send: Callable[[list[Sent]], list[Sent]], items: list[Sent], *, tries: int, sleep: Callable[[float], None]
) -> None:
    """Call `send`, which returns the items that are left, until none is, with growing pauses."""
    left = items
    for attempt in range(tries):
        if attempt:
            sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.05 * 2 ** (attempt - 1))))
        left = send(left)
        if not left:
            return
    raise TableBusy(f"DynamoDB left {len(left)} of {len(items)} items after {tries} tries; trying again is safe")


def query(table: str, **call: Any) -> Page:
    reply = clients.dynamodb().call("Query", TableName=table, **call)
    return {"items": [from_item(item) for item in reply["Items"]], "last": reply.get("LastEvaluatedKey")}


def query_all(table: str, **call: Any) -> Iterator[Values]:
    """Read every item, page by page."""
    page = query(table, **call)
    yield from page["items"]
    while page["last"]:
        page = query(table, ExclusiveStartKey=page["last"], **call)
        yield from page["items"]


def scan_all(table: str, **call: Any) -> Iterator[Values]:
    """Read every item of a small table, page by page."""
    more: dict[str, Any] = {}
    while True:
        reply = clients.dynamodb().call("Scan", TableName=table, ConsistentRead=True, **call, **more)
        yield from map(from_item, reply["Items"])
        if "LastEvaluatedKey" not in reply:
            return
        more = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
