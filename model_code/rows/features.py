"""A row as a model takes it: the contract's features as numbers, booleans and categories. For tables, `matrices.py`.

Standard library only: a server starts with it.
"""

from typing import Any, NotRequired, TypedDict

from domain.contract.schema import Column, Contract
from domain.contract.values import check_value
from domain.timestamps import parse_timestamp


class ModelColumn(TypedDict):
    """`kind`: number, boolean or category. `levels`: a category's values, where a model knows them by their places."""

    name: str
    kind: str
    levels: NotRequired[list[str]]


def model_columns(contract: Contract) -> list[ModelColumn]:
    """Return the columns of the features, in the contract's order.

    A timestamp is a number, seconds since 1970; an integer that lists its categories is a category.
    """
    return [{"name": column.name, "kind": kind_of(column)} for column in contract.features]


def kind_of(column: Column) -> str:
    if column.type == "string" or column.categories is not None:
        return "category"
    return "boolean" if column.type == "boolean" else "number"


def unfed(model: Contract, contract: Contract) -> list[str]:
    """List what a model made under one contract misses in rows of another: its question, or a feature that it needs.

    A nullable feature that is not there is null; one of another type is missed. New categories and wider ranges are
    fed.
    """
    asked, answered = ((one.task, one.target.name, one.target.type) for one in (contract, model))
    types = {column.name: column.type for column in contract.to_score}
    missed = [
        column.name
        for column in model.features
        if types.get(column.name, column.type if column.nullable else None) != column.type
    ]
    return (["the target"] if asked != answered else []) + missed


def _model_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "timestamp":
        instant = parse_timestamp(value)
        assert instant is not None  # `check_value` wrote it
        return instant.timestamp()
    return str(value) if kind_of(column) == "category" else value


def check_features(contract: Contract, row: Any, *, elsewhere: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Return the row as the model takes it, and its problems. Only features matter to a score; the contract's other
    columns are ignored.

    `elsewhere`: the row was checked under another contract, whose limits and further columns count. The model takes
    every value of the right type, null among them; it still needs the columns that may not be null.
    """
    if not isinstance(row, dict):
        return {}, [f"row = {row!r}: must be an object of column names to values"]
    strangers = () if elsewhere else (name for name in row if name not in contract.by_name)
    problems = [f"{name!r} is not in the contract {contract.name!r}" for name in strangers]
    values: dict[str, Any] = {}
    for column, without_limits in zip(contract.features, contract.to_answer, strict=True):
        judged = without_limits if elsewhere and column.name in row else column
        kept, broken = check_value(judged, row.get(column.name))
        problems += [problem.message for problem in broken]
        if not broken:
            values[column.name] = _model_value(column, kept)
    return values, problems
