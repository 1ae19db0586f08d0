"""What a model sees of a row: the contract's features as numbers, booleans and categories. Of a table, `matrices.py`.

Standard library only: a server starts with it.
"""

from domain.contract.schema import Column, Contract
from domain.contract.values import check_value
from domain.timestamps import parse_timestamp


def model_columns(contract: Contract) -> list[dict]:
    """[{name, kind: number|boolean|category}] in the contract's order. A moment is a number, seconds since 1970; an
    integer that lists its categories is a category.
    """
    return [{"name": column.name, "kind": kind_of(column)} for column in contract.features]


def kind_of(column: Column) -> str:
    if column.type == "string" or column.categories is not None:
        return "category"
    return "boolean" if column.type == "boolean" else "number"


def unfed(model: Contract, contract: Contract) -> list[str]:
    """What a model trained under one contract misses in rows of another: its task, or features of the same name and
    type.
    """
    task = ["the task"] if model.task != contract.task else []
    given = {column.name: (column.type, kind_of(column)) for column in contract.features}
    return task + [column.name for column in model.features if given.get(column.name) != (column.type, kind_of(column))]


def model_value(column: Column, value):
    if value is None:
        return None
    if column.type == "timestamp":
        return parse_timestamp(value).timestamp()
    return str(value) if kind_of(column) == "category" else value


def check_features(contract: Contract, row) -> tuple[dict, list[str]]:
    """(the row as the model takes it, what is wrong with it). Only features matter to a score; other columns of the
    contract may come along.
    """
    if not isinstance(row, dict):
        return {}, [f"found {row!r}, a row must be an object of column names to values"]
    problems = [f"{name!r} is not in the contract {contract.name!r}" for name in row if name not in contract.by_name]
    values = {}
    for column in contract.features:
        kept, found = check_value(column, row.get(column.name))
        problems += [problem.message for problem in found]
        if not found:
            values[column.name] = model_value(column, kept)
    return values, problems
