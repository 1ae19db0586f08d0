"""The Open Inference Protocol, version 2: tensors in, tensors out, one input for each column of the contract.

A row that cannot be scored has null in `predictions` and its reason in the output `errors`, which is there only then.
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import json

from domain.contract.schema import Contract
from model_code.answers.answering import answer
from model_code.answers.bodies import decoded
from model_code.answers.reply import JSON, Reply, RequestRefused
from model_code.artefact.folder import Artefact
from model_code.http.binary_tensors import TensorRefused, read_tensor, written

DATATYPES = {"string": "BYTES", "timestamp": "BYTES", "boolean": "BOOL", "integer": "INT64", "float": "FP64"}
NUMBERS = {"FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8"}
OUTPUTS = ("predictions", "errors")


def about_server() -> dict:
    return {"name": "fairway", "version": "2", "extensions": ["binary_tensor_data"]}


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
        "platform": f"fairway_{artefact.manifest['format']}",
        "inputs": inputs,
        "outputs": outputs,
    }


def shape_of(artefact: Artefact, rows: int) -> list[int]:
    return [rows, len(artefact.manifest["classes"])] if artefact.contract.task == "multiclass" else [rows]


def infer(artefact: Artefact, name: str, body: bytes, json_bytes: int | None = None) -> Reply:
    """`json_bytes`: where the JSON ends and tensors in binary form begin."""
    document = decoded(body[:json_bytes])
    if json_bytes is not None:
        fill_in(document, body[json_bytes:])
    rows = rows_of(artefact.contract, document)
    named = names_wanted(document)
    answers, refused = answer(artefact.contract, artefact.scorer, rows)
    scores = [None if isinstance(one, dict) else one for one in answers]
    width = len(artefact.manifest["classes"])
    if artefact.contract.task == "multiclass":  # a tensor's data may be flat, and every client reads that
        scores = [value for row in scores for value in (row or [None] * width)]
    outputs = [{"name": "predictions", "datatype": "FP64", "shape": shape_of(artefact, len(rows)), "data": scores}]
    if refused or "errors" in named:
        reasons = [one["error"] if isinstance(one, dict) else "" for one in answers]
        outputs.append({"name": "errors", "datatype": "BYTES", "shape": [len(rows)], "data": reasons})
    found = {"model_name": name, "model_version": artefact.sha256}
    if isinstance(document.get("id"), str):
        found["id"] = document["id"]
    reply = written_reply(found, [one for one in outputs if one["name"] in named or not named], wants_binary(document))
    return reply._replace(rows=len(rows), refused=refused)


def names_wanted(document: dict) -> list[str]:
    """Of outputs; none are all."""
    names = [one.get("name") if isinstance(one, dict) else one for one in listed(document, "outputs")]
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown:
        raise refused(f"there is no output {unknown[0]!r}; outputs: {', '.join(OUTPUTS)}")
    return names


def listed(document: dict, key: str) -> list:
    value = document.get(key)
    if value is not None and not isinstance(value, list):
        raise refused(f"{key} = {value!r}: must be a list")
    return value or []


# ---- tensors in binary form


def fill_in(document, binary: bytes) -> None:
    """Gives each input that says how many of the bytes are its own the values that these are."""
    place = 0
    for one in inputs_of(document):
        size = parameter(one, "binary_data_size")
        if size is None:
            continue
        if not is_size(size) or place + size > len(binary):
            raise refused(
                f"input {one.get('name')!r} has the binary_data_size {size!r}: must be at most {len(binary) - place}"
            )
        one["data"] = read_input(one, binary[place : place + size])
        place += size
    if place < len(binary):
        raise refused(f"{len(binary) - place} bytes behind the JSON belong to no input")


def read_input(tensor: dict, data: bytes) -> list:
    try:
        return read_tensor(tensor.get("datatype"), data)
    except TensorRefused as error:
        raise refused(f"input {tensor.get('name')!r} {error}") from None


def wants_binary(document: dict) -> set[str]:
    """The outputs that are wanted in binary form."""
    every = parameter(document, "binary_data_output") is True
    chosen = {one["name"]: parameter(one, "binary_data") for one in listed(document, "outputs")}
    return {name for name in OUTPUTS if (every if chosen.get(name) is None else chosen[name] is True)}


def written_reply(document: dict, outputs: list[dict], binary: set[str]) -> Reply:
    tensors = [written(one["datatype"], one.pop("data")) if one["name"] in binary else None for one in outputs]
    for one, tensor in zip(outputs, tensors, strict=True):
        if tensor is not None:
            one["parameters"] = {"binary_data_size": len(tensor)}
    head = json.dumps({**document, "outputs": outputs}, separators=(",", ":")).encode()
    if all(tensor is None for tensor in tensors):
        return Reply(head, JSON)
    body = b"".join([head, *filter(None, tensors)])
    return Reply(body, "application/octet-stream", more=b"inference-header-content-length: %d\r\n" % len(head))


def parameter(of: dict, name: str):
    parameters = of.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


# ---- tensors as rows


def inputs_of(document) -> list[dict]:
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise refused('the body must be {"inputs": [{"name", "shape", "datatype", "data"}, ...]}')
    return inputs


def rows_of(contract: Contract, document) -> list[dict]:
    """The rows that the input tensors are the columns of."""
    columns = {}
    for one in inputs_of(document):
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
    if not is_column(shape):
        raise refused(
            f"input {name!r} has the shape {shape!r}; allowed: [rows] or [rows, 1], one input for each column"
        )
    if name not in contract.by_name:
        raise refused(f"input {name!r} is not in the contract {contract.name!r}")
    if not isinstance(data, list):
        raise refused(
            f"input {name!r} has no data: neither in the JSON nor behind it (header Inference-Header-Content-Length)"
        )
    values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in data]
    if len(values) != shape[0]:
        raise refused(f"input {name!r} has {len(values)} values for the shape {shape}")
    if datatype not in datatypes_for(contract.by_name[name]):
        allowed = ", ".join(sorted(datatypes_for(contract.by_name[name])))
        raise refused(f"input {name!r} has the datatype {datatype!r}; allowed: {allowed}")
    return values


def is_column(shape) -> bool:
    whole = isinstance(shape, list) and all(map(is_size, shape))
    return whole and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1))


def is_size(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def datatypes_for(column) -> set[str]:
    return NUMBERS if column.type in ("integer", "float") else {DATATYPES[column.type]}


def refused(message: str) -> RequestRefused:
    return RequestRefused(400, "bad_request", message)
