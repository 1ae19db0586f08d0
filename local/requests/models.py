"""Find a request's operation and its parameters, named as in the model, for any protocol."""

import functools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session

Parameters = dict[str, Any]
# names in the gateway that differ from botocore's
_NAMES = {
    "states": "stepfunctions",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "apigateway": "apigatewayv2",
}


class Unreadable(Exception):
    """Report a body that does not follow its protocol."""


@functools.cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(_NAMES.get(service, service))


def read(
    service: str, method: str, path: str, headers: dict, body: bytes, query: dict
) -> tuple[Any, Parameters] | None:
    """Return (the operation's model, its parameters); None for an unknown operation. Raises Unreadable."""
    target = headers.get("x-amz-target", "")
    if target:
        return _of_json(service, target.rpartition(".")[2], body)
    if "rest" in model(service).protocol:
        return _of_rest(service, method, path, headers, body, query)
    return _of_query(service, body, query)


def _of_json(service: str, operation: str, body: bytes) -> tuple[Any, Parameters] | None:
    if operation not in model(service).operation_names:
        return None
    return model(service).operation_model(operation), _object(body)


def _object(body: bytes) -> Parameters:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    if not isinstance(found, dict):
        raise Unreadable("the body is not an object")
    return found


# The query protocol: structures and lists flattened into names such as Tags.member.1.Key.


def _of_query(service: str, body: bytes, query: dict) -> tuple[Any, Parameters] | None:
    flat = {name: values[0] if isinstance(values, list) else values for name, values in query.items()}
    flat.update(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))
    operation = str(flat.get("Action"))
    if operation not in model(service).operation_names:
        return None
    found = model(service).operation_model(operation)
    return found, _unflattened(flat, found.input_shape, "") if found.input_shape else {}


def _unflattened(flat: dict[str, str], shape: Any, prefix: str) -> Any:
    """Return the value at a prefix, or None if nothing begins with it."""
    if shape.type_name == "structure":
        dot = f"{prefix}." if prefix else ""
        members = {
            name: _unflattened(flat, member, dot + _wire_name(name, member)) for name, member in shape.members.items()
        }
        found = {name: value for name, value in members.items() if value is not None}
        return found if found or not prefix else None
    if shape.type_name == "list":
        return _unflattened_list(flat, shape, prefix)
    if shape.type_name == "map":
        return _unflattened_map(flat, shape, prefix)
    return _scalar(flat[prefix], shape) if prefix in flat else None


def _wire_name(name: str, shape: Any) -> str:
    flattened = shape.type_name == "list" and shape.serialization.get("flattened")
    inner = shape.member.serialization.get("name") if flattened else None
    return str(inner or shape.serialization.get("name", name))


def _unflattened_list(flat: dict[str, str], shape: Any, prefix: str) -> list | None:
    if prefix in flat and not flat[prefix]:
        return []
    inner = "" if shape.serialization.get("flattened") else f".{shape.member.serialization.get('name', 'member')}"
    values = (
        _unflattened(flat, shape.member, f"{prefix}{inner}.{number}") for number in _numbers(flat, f"{prefix}{inner}.")
    )
    return list(values) or None


def _unflattened_map(flat: dict[str, str], shape: Any, prefix: str) -> dict | None:
    inner = f"{prefix}." if shape.serialization.get("flattened") else f"{prefix}.entry."
    key, value = (shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value"))
    found = {
        flat[f"{inner}{number}.{key}"]: _unflattened(flat, shape.value, f"{inner}{number}.{value}")
        for number in _numbers(flat, inner)
        if f"{inner}{number}.{key}" in flat
    }
    return found or None


def _numbers(flat: dict[str, str], prefix: str) -> list[int]:
    found = {name[len(prefix) :].split(".")[0] for name in flat if name.startswith(prefix)}
    return sorted(int(number) for number in found if re.fullmatch(r"[0-9]{1,6}", number))


def _scalar(text: str, shape: Any) -> Any:
    """Convert the text of a form, an address or a header to its shape's type; unchanged if that fails."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if shape.type_name in ("float", "double"):
        try:
            return float(text)
        except ValueError:
            return text
    if shape.type_name == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


# REST: the operation is in the method and the path, its members are in all parts of the request.


def _of_rest(
    service: str, method: str, path: str, headers: dict, body: bytes, query: dict
) -> tuple[Any, Parameters] | None:
    for pattern, operation in _routes(service).get(method, []):
        matched = pattern.fullmatch(path.partition("?")[0])
        if matched:
            found = model(service).operation_model(operation)
            shape = found.input_shape
            return found, _of_places(shape, matched.groupdict(), headers, body, query) if shape else {}
    return None


@functools.cache
def _routes(service: str) -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """Return method -> (the path's pattern, the operation), longest first."""
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    names = sorted(
        model(service).operation_names, key=lambda name: -len(model(service).operation_model(name).http["requestUri"])
    )
    for name in names:
        http = model(service).operation_model(name).http
        found.setdefault(http["method"], []).append((_route(http["requestUri"].partition("?")[0]), name))
    return found


def _route(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(\+?)\}", template.rstrip("/"))
    texts, names, greedy = parts[::3], parts[1::3], parts[2::3]
    labels = [f"(?P<{name}>{'.+' if plus else '[^/]+'})" for name, plus in zip(names, greedy, strict=True)]
    return re.compile("".join(re.escape(text) + label for text, label in zip(texts, [*labels, ""], strict=True)) + "/?")


def _of_places(shape: Any, labels: dict[str, str], headers: dict, body: bytes, query: dict) -> Parameters:
    payload = shape.serialization.get("payload")
    found: Parameters = {}
    whole = _object(body) if payload is None and body.strip() else {}
    for name, member in shape.members.items():
        place, wire = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri" and wire in labels:
            found[name] = _scalar(unquote(labels[wire]), member)
        elif place == "querystring" and wire in query:
            found[name] = _of_query_string(query[wire], member)
        elif place == "header" and wire.lower() in headers:
            found[name] = _scalar(headers[wire.lower()], member)
        elif place is None and name == payload:
            found[name] = _object(body) if member.type_name == "structure" else body
        elif place is None and wire in whole:
            found[name] = whole[wire]
    return found


def _of_query_string(given: Any, shape: Any) -> Any:
    values = given if isinstance(given, list) else [given]
    return (
        [_scalar(value, shape.member) for value in values] if shape.type_name == "list" else _scalar(values[0], shape)
    )
