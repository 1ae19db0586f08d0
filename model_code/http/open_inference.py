"""The Open Inference Protocol, version 2: tensors in, tensors out, one input for each column of the contract.

A row that cannot be scored has null in `predictions` and its reason in the output `errors`, which is there only then.
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import json
from collections.abc import Iterator
from typing import Any, NotRequired, TypedDict

from model_code.answers.answering import answer
from model_code.answers.bodies import Answer, decoded, numbers_of
from model_code.answers.reply import JSON, Reply
from model_code.artefact.folder import Artefact
from model_code.http.binary_tensors import written
from model_code.http.input_tensors import DATATYPES, fill_in, parameter, refused, rows_of

_OUTPUTS = ("predictions", "errors")


class ServerMetadata(TypedDict):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(TypedDict):
    """In the shape -1 is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(TypedDict):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class _Size(TypedDict):
    binary_data_size: int


class _Output(TensorMetadata):
    """Its data is behind the JSON where `parameters` gives its size."""

    data: NotRequired[list[Any]]
    parameters: NotRequired[_Size]


class _Head(TypedDict):
    """A reply without its outputs; `id` is the request's."""

    model_name: str
    model_version: str
    id: NotRequired[str]


def about_server() -> ServerMetadata:
    return {"name": "fairway", "version": "2", "extensions": ["binary_tensor_data"]}


def about_model(artefact: Artefact, name: str) -> ModelMetadata:
    """Describe the model; a request may omit an input if the contract allows its column to be null."""
    features = artefact.contract.features
    return {
        "name": name,
        "versions": [artefact.sha256],
        "platform": f"fairway_{artefact.manifest['format']}",
        "inputs": [{"name": column.name, "datatype": DATATYPES[column.type], "shape": [-1]} for column in features],
        "outputs": [{"name": "predictions", "datatype": "FP64", "shape": _shape_of(artefact, -1)}],
    }


def _shape_of(artefact: Artefact, rows: int) -> list[int]:
    return [rows, len(artefact.manifest["classes"])] if artefact.contract.task == "multiclass" else [rows]


def infer(artefact: Artefact, name: str, body: bytes, json_bytes: int | None = None) -> Reply:
    """Answer a request; `json_bytes` is where its JSON ends and tensors in binary form begin.

    RequestRefused (400, 413) where the request as a whole cannot be answered.
    """
    document = decoded(body[:json_bytes])
    if json_bytes is not None:
        fill_in(document, body[json_bytes:])
    rows = rows_of(artefact.contract, document)
    wanted = _outputs_wanted(document)
    answers, without = answer(artefact.contract, artefact.scorer, rows)
    head: _Head = {"model_name": name, "model_version": artefact.sha256}
    if isinstance(document.get("id"), str):
        head["id"] = document["id"]
    outputs = [_predictions(artefact, answers)]
    if without or "errors" in wanted:
        outputs.append(_errors(answers))
    outputs = [one for one in outputs if one["name"] in wanted or not wanted]
    return _reply(head, outputs, _wanted_in_binary(document))._replace(rows=len(rows), refused=without)


def _predictions(artefact: Artefact, answers: list[Answer]) -> _Output:
    """A tensor's data may be flat, and every client reads that."""
    width = len(artefact.manifest["classes"]) if artefact.contract.task == "multiclass" else 1
    data: list[float | None] = []
    for one in answers:
        data += numbers_of(one) or [None] * width
    return {"name": "predictions", "datatype": "FP64", "shape": _shape_of(artefact, len(answers)), "data": data}


def _errors(answers: list[Answer]) -> _Output:
    reasons = [one["error"] if isinstance(one, dict) else "" for one in answers]
    return {"name": "errors", "datatype": "BYTES", "shape": [len(answers)], "data": reasons}


# ---- the outputs that a request names


def _outputs_wanted(document: dict[str, Any]) -> list[str]:
    """Return the names of the outputs that are wanted; an empty list means all."""
    names: list[Any] = [one.get("name") if isinstance(one, dict) else one for one in _listed(document)]
    for name in names:
        if name not in _OUTPUTS:
            raise refused(f"output {name!r}: must be {' or '.join(_OUTPUTS)}")
    return names


def _wanted_in_binary(document: dict[str, Any]) -> set[str]:
    every = parameter(document, "binary_data_output") is True
    chosen = {one["name"]: parameter(one, "binary_data") for one in _listed(document) if isinstance(one, dict)}
    return {name for name in _OUTPUTS if (every if chosen.get(name) is None else chosen[name] is True)}


def _listed(document: dict[str, Any]) -> list[Any]:
    outputs = document.get("outputs")
    if outputs is not None and not isinstance(outputs, list):
        raise refused(f"outputs = {outputs!r}: must be a list")
    return outputs or []


# ---- writing


def _reply(head: _Head, outputs: list[_Output], binary: set[str]) -> Reply:
    tensors = list(_taken_out(outputs, binary))
    document = json.dumps({**head, "outputs": outputs}, separators=(",", ":")).encode()
    if not tensors:
        return Reply(document, JSON)
    more = b"inference-header-content-length: %d\r\n" % len(document)
    return Reply(b"".join([document, *tensors]), "application/octet-stream", more=more)


def _taken_out(outputs: list[_Output], binary: set[str]) -> Iterator[bytes]:
    """Yield the tensors that are wanted in binary form, and leave their sizes where their data was."""
    for one in outputs:
        if one["name"] in binary:
            tensor = written(one["datatype"], one.pop("data"))
            one["parameters"] = {"binary_data_size": len(tensor)}
            yield tensor
