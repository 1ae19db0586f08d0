"""The Open Inference Protocol, version 2: tensors in, tensors out, one input for each column of the contract.

A row that cannot be scored has null in `predictions` and its reason in the output `errors`, which is there only then.
"""

from domain.contract import Contract
from model_code.answering import RequestRefused, answer, decoded
from model_code.artefact import Artefact

DATATYPES = {"string": "BYTES", "timestamp": "BYTES", "boolean": "BOOL", "integer": "INT64", "float": "FP64"}
NUMBERS = {"FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"}


def about_server() -> dict:
    return {"name": "fairway", "version": "2", "extensions": []}


def about_model(artefact: Artefact, name: str) -> dict:
    """Any input may be left out where the contract allows the column to be null; -1 is any number of rows."""
    inputs = [
        {"name": column.name, "datatype": DATATYPES[column.type], "shape": [-1]}
        for column in artefact.contract.features
    ]
    outputs = [{"name": "predictions", "datatype": "FP64", "shape": shape_of(artefact, -1)}]
    return {
        "name": name,
        "versions": [artefact.sha256],
        "platform": "fairway_plan",
        "inputs": inputs,
        "outputs": outputs,
    }


def shape_of(artefact: Artefact, rows: int) -> list[int]:
    return [rows, len(artefact.manifest["classes"])] if artefact.contract.task == "multiclass" else [rows]


def infer(artefact: Artefact, name: str, body: bytes) -> tuple[dict, int, int]:
    """(the reply, how many rows it answers, how many of them could not be scored)"""
    document = decoded(body)
    rows = rows_of(artefact.contract, document)
    answers, refused = answer(artefact.contract, artefact.scorer, rows)
    scores = [None if isinstance(one, dict) else one for one in answers]
    width = len(artefact.manifest["classes"])
    if artefact.contract.task == "multiclass":  # a tensor's data may be flat, and every client reads that
        scores = [value for row in scores for value in (row or [None] * width)]
    outputs = [{"name": "predictions", "datatype": "FP64", "shape": shape_of(artefact, len(rows)), "data": scores}]
    if refused:
        reasons = [one["error"] if isinstance(one, dict) else "" for one in answers]
        outputs.append({"name": "errors", "datatype": "BYTES", "shape": [len(rows)], "data": reasons})
    found = {"model_name": name, "model_version": artefact.sha256, "outputs": outputs}
    if isinstance(document.get("id"), str):
        found["id"] = document["id"]
    return found, len(rows), refused


def rows_of(contract: Contract, document) -> list[dict]:
    """The rows that the input tensors are the columns of."""
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise refused('the body must be {"inputs": [{"name", "shape", "datatype", "data"}, ...]}')
    columns = {}
    for one in inputs:
        name = one.get("name")
        if not isinstance(name, str) or name in columns:
            raise refused(f"inputs must have a name each, and only once; found {name!r}")
        columns[name] = column_values(contract, name, one)
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise refused(
            f"inputs differ in length: {', '.join(f'{name!r} has {len(values)}' for name, values in columns.items())}"
        )
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def column_values(contract: Contract, name: str, tensor: dict) -> list:
    shape, datatype, data = tensor.get("shape"), tensor.get("datatype"), tensor.get("data")
    if not isinstance(data, list):
        raise refused(f"input {name!r} has no data; tensors in binary form are not read, send them as JSON")
    if not is_column(shape):
        raise refused(f"input {name!r} has the shape {shape!r}; allowed: [rows] or [rows, 1]")
    values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in data]
    if len(values) != shape[0]:
        raise refused(f"input {name!r} has {len(values)} values for the shape {shape}")
    if name in contract.by_name and datatype not in datatypes_for(contract.by_name[name]):
        allowed = ", ".join(sorted(datatypes_for(contract.by_name[name])))
        raise refused(f"input {name!r} has the datatype {datatype!r}; allowed: {allowed}")
    return values


def is_column(shape) -> bool:
    whole = isinstance(shape, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape
    )
    return whole and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1))


def datatypes_for(column) -> set[str]:
    return NUMBERS if column.type in ("integer", "float") else {DATATYPES[column.type]}


def refused(message: str) -> RequestRefused:
    return RequestRefused(400, "bad_request", message)
