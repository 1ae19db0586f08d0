"""The condition key dynamodb:LeadingKeys: the partition keys in a request, table by table and item by item.

MiniStack does not fill this key, and `ForAllValues` over a missing key is true: a role that may write one item of a
table could write them all.
"""

import json
import re
from collections.abc import Iterator

from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb

KEY = "dynamodb:LeadingKeys"
HOOKS = (
    "ministack.core.iam_actions:dynamodb_service_context",
    "ministack.core.iam_actions:dynamodb_resource_arns",
    "ministack.core.iam_actions:dynamodb_transaction_checks",
    "ministack.core.iam_actions:extract_resource_arn",
    "ministack.core.iam_evaluator:enforce",
    "ministack.services.dynamodb:_tables",
)
TRANSACTED = ("ConditionCheck", "Put", "Update", "Delete", "Get")  # in the order of MiniStack's own checks


class TableArn(str):
    """ARN of a table, with the leading keys of one request's use of it."""

    keys: tuple[str, ...] = ()


def register() -> None:
    context_of, arns_of = iam_actions.dynamodb_service_context, iam_actions.dynamodb_resource_arns
    checks_of, enforce = iam_actions.dynamodb_transaction_checks, iam_evaluator.enforce

    def service_context(body):
        request = _parsed(body)
        keys = leading_keys(request.get("TableName"), request)
        return {**context_of(body), **({KEY: keys} if keys else {})}

    def resource_arns(body, region, account):
        tables = _parsed(body).get("RequestItems")
        arns = arns_of(body, region, account)
        if not isinstance(tables, dict) or len(tables) != len(arns):
            return arns
        return [_with_keys(arn, _batch_keys(table, tables[table])) for arn, table in zip(arns, tables, strict=True)]

    def transaction_checks(action, body, region, account):
        checks = checks_of(action, body, region, account)
        keys = list(_transaction_keys(_parsed(body))) if checks else []
        if len(keys) != len(checks):
            return checks
        return [(action, _with_keys(arn, found)) for (action, arn), found in zip(checks, keys, strict=True)]

    def enforce_with_keys(access_key, action, service, region, resource_arn="*", service_context=None):
        if isinstance(resource_arn, TableArn):
            service_context = {**(service_context or {}), KEY: list(resource_arn.keys)}
        return enforce(access_key, action, service, region, resource_arn, service_context)

    iam_actions.dynamodb_service_context = service_context
    iam_actions.dynamodb_resource_arns = resource_arns
    iam_actions.dynamodb_transaction_checks = transaction_checks
    iam_evaluator.enforce = enforce_with_keys


def leading_keys(table: object, request: dict) -> list[str]:
    """Return the partition keys of a single-item request or a Query; none for a Scan."""
    name = _partition_key(table, request.get("IndexName"))
    if name is None:
        return []
    for member in ("Key", "Item"):
        if isinstance(request.get(member), dict):
            return list(_texts(request[member].get(name)))
    return list(_queried(request, name))


def _queried(request: dict, key: str) -> Iterator[str]:
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    for name, value in re.findall(r"([#\w.-]+)\s*=\s*(:\w+)", str(request.get("KeyConditionExpression") or "")):
        if names.get(name, name) == key:
            yield from _texts(values.get(value))
    condition = (request.get("KeyConditions") or {}).get(key)
    for value in condition.get("AttributeValueList") or [] if isinstance(condition, dict) else []:
        yield from _texts(value)


def _batch_keys(table: str, requests: object) -> list[str]:
    """Return the keys of one table in BatchGetItem ({"Keys": [...]}) or BatchWriteItem (a list of requests)."""
    if isinstance(requests, dict):
        return [text for key in requests.get("Keys") or [] for text in leading_keys(table, {"Key": key})]
    each_request = requests if isinstance(requests, list) else []
    writes = [write for each in each_request if isinstance(each, dict) for write in each.values()]
    return [text for write in writes if isinstance(write, dict) for text in leading_keys(table, write)]


def _transaction_keys(request: dict) -> Iterator[list[str]]:
    """Return one list for each check that MiniStack makes of a transaction, in its order."""
    for item in request.get("TransactItems") or []:
        for member in TRANSACTED if isinstance(item, dict) else ():
            detail = item.get(member)
            if isinstance(detail, dict) and detail.get("TableName"):
                yield leading_keys(detail["TableName"], detail)


def _partition_key(table: object, index: object) -> str | None:
    found = dynamodb._tables.get(str(table or "").rpartition("/")[2])
    indexes = [*found.get("GlobalSecondaryIndexes", []), *found.get("LocalSecondaryIndexes", [])] if found else []
    schemas = (
        [each["KeySchema"] for each in indexes if each["IndexName"] == index] or [found["KeySchema"]] if found else []
    )
    return next((each["AttributeName"] for schema in schemas for each in schema if each["KeyType"] == "HASH"), None)


def _texts(value: object) -> Iterator[str]:
    """Return a key as a policy writes it: the text of an S, N or B."""
    if isinstance(value, dict):
        yield from (text for kind, text in value.items() if kind in ("S", "N", "B") and isinstance(text, str))


def _with_keys(arn: str, keys: list[str]) -> TableArn:
    found = TableArn(arn)
    found.keys = tuple(keys)
    return found


def _parsed(body: bytes | None) -> dict:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}
