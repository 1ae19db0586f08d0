"""The input tensors of an Open Inference request as rows: one input for each column of the contract.

A request's document is whatever JSON a client sent, so everything in it is checked before it is used.
"""

from typing import Any

from domain.contract.schema import Column, Contract
from model_code.answers.reply import RequestRefused
from model_code.http.binary_tensors import TensorRefused, read_tensor

DATATYPES = {"string": "BYTES", "timestamp": "BYTES", "boolean": "BOOL", "integer": "INT64", "float": "FP64"}
_NUMBERS = {"FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"}


def rows_of(contract: Contract, document: Any) -> list[dict[str, Any]]:
    """Return the rows whose columns are the input tensors. Raises RequestRefused (400) if they are not columns."""
    columns: dict[str, list[Any]] = {}
    for one in _inputs_of(document):
        name = one.get("name")
        if not isinstance(name, str) or name in columns:
            raise refused(f"name = {name!r}: must be a text, and another one for each input")
        columns[name] = _column_values(contract, name, one)
    if len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{name!r} has {len(values)}" for name, values in columns.items())
        raise refused(f"inputs differ in length: {lengths}; give each the same number of values")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _inputs_of(document: Any) -> list[dict[str, Any]]:
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise refused('the body must be {"inputs": [{"name", "shape", "datatype", "data"}, ...]}')
    return inputs


def _column_values(contract: Contract, name: str, tensor: dict[str, Any]) -> list[Any]:
    shape, datatype, data = tensor.get("shape"), tensor.get("datatype"), tensor.get("data")
    rows = _rows_in(shape)
    if rows is None:
        raise refused(f"input {name!r}: shape = {shape!r}: must be [rows] or [rows, 1], one input for each column")
    if name not in contract.by_name:
        raise refused(f"input {name!r}: must be a column of the contract {contract.name!r}")
    if not isinstance(data, list):
        where = "in the JSON or behind it (header Inference-Header-Content-Length)"
        raise refused(f"input {name!r}: data must be given, {where}")
    values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in data]
    if len(values) != rows:
        raise refused(f"input {name!r}: {len(values)} values: must be {rows}, as its shape {shape} has it")
    allowed = sorted(_datatypes_for(contract.by_name[name]))
    if datatype not in allowed:
        raise refused(f"input {name!r}: datatype = {datatype!r}: must be {' or '.join(allowed)}")
    return values


def _rows_in(shape: Any) -> int | None:
    """Return the number of rows in the shape of one column; None for another shape."""
    if (
        not isinstance(shape, list)
        or not all(map(_is_size, shape))
        or len(shape) not in (1, 2)
        or shape[1:] not in ([], [1])
    ):
        return None
    return int(shape[0])


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _datatypes_for(column: Column) -> set[str]:
    return _NUMBERS if column.type in ("integer", "float") else {DATATYPES[column.type]}


# ---- inputs in binary form


def fill_in(document: Any, binary: bytes) -> None:
    """Put the values of inputs in binary form into the JSON; each input names its number of bytes."""
    place = 0
    for one in _inputs_of(document):
        size = parameter(one, "binary_data_size")
        if size is None:
            continue
        left = len(binary) - place
        if not _is_size(size) or size > left:
            raise refused(f"input {one.get('name')!r}: binary_data_size = {size!r}: must be at most {left}")
        one["data"] = _read_input(one, binary[place : place + size])
        place += size
    if place < len(binary):
        raise refused(f"{len(binary) - place} bytes behind the JSON: must belong to an input; set its binary_data_size")


def _read_input(tensor: dict[str, Any], data: bytes) -> list[Any]:
    try:
        return read_tensor(tensor.get("datatype"), data)
    except TensorRefused as error:
        raise refused(f"input {tensor.get('name')!r}: {error}") from None


def parameter(of: dict[str, Any], name: str) -> Any:
    """Return a parameter of a request or of a tensor; None if there is none."""
    parameters = of.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def refused(message: str) -> RequestRefused:
    return RequestRefused(400, "bad_request", message)
