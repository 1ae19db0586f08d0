"""What the local AWS holds, asked of its API: how many predictions, and which."""

from bench.faults.place import Place
from fairway.stage.aws import Stage, connect


def stored(place: Place) -> int:
    """How many predictions there are."""
    dynamodb, table = _table(place)
    return dynamodb.describe_table(TableName=table)["Table"]["ItemCount"]


def missing(place: Place, ids: list[str]) -> int:
    """How many of these predictions are not there."""
    dynamodb, table = _table(place)
    return sum("Item" not in dynamodb.get_item(TableName=table, Key={"id": {"S": one}}) for one in ids)


def _table(place: Place) -> tuple:
    stage: Stage = connect(place.folder, "local")
    dynamodb = stage.client("dynamodb")
    tables = dynamodb.list_tables()["TableNames"]
    return dynamodb, next(name for name in tables if "predictions" in name.lower())
