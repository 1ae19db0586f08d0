"""Requests and responses checked against botocore's own model of the service, so neither side can drift from it."""

import functools
import re

import botocore.session
from botocore.validate import ParamValidator

from local.sagemaker.errors import SageMakerError, invalid


@functools.cache
def service(name: str = "sagemaker"):
    return botocore.session.get_session().get_service_model(name)


def input_shape(operation: str):
    return service().operation_model(operation).input_shape


def _output_members(operation: str) -> frozenset[str]:
    shape = service().operation_model(operation).output_shape
    return frozenset(shape.members) if shape else frozenset()


def check_request(operation: str, request: dict) -> None:
    """Refuse a request that the real service would refuse for its shape: unknown, missing, wrong type or out of
    range.
    """
    shape = input_shape(operation)
    report = ParamValidator().validate(request, shape) if shape else None
    if report is not None and report.has_errors():
        problems = report.generate_report().splitlines()
    else:
        problems = list(breaches(request, shape))
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise invalid(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def check_response(operation: str, response: dict) -> None:
    """Check a response: one that the model does not know is a bug of ours, and must not pass for an answer of AWS."""
    shape = service().operation_model(operation).output_shape
    if shape is None:
        problems = [f"{operation} answers nothing, found {sorted(response)}"] if response else []
    else:
        report = ParamValidator().validate(response, shape)
        unknown = [f'unknown member "{name}"' for name in response if name not in shape.members]
        problems = unknown or (report.generate_report().splitlines() if report.has_errors() else [])
    if problems:
        raise SageMakerError("InternalFailure", f"local SageMaker made a wrong {operation} response: {problems}", 500)


def breaches(value, shape, path: str = ""):
    """Yield the constraints that botocore's client-side validator leaves to the service: length, range, enum,
    pattern.
    """
    if shape is None:
        return
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from breaches(member, shape.members[name], f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        yield from _size_breaches(len(value), value, shape, path)
        for index, member in enumerate(value):
            yield from breaches(member, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map":
        yield from _size_breaches(len(value), value, shape, path)
        for key, member in value.items():
            yield from breaches(key, shape.key, f"{path}.{key}")
            yield from breaches(member, shape.value, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _size_breaches(len(value), value, shape, path)
        yield from _text_breaches(value, shape, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _size_breaches(value, value, shape, path)


def _size_breaches(size, value, shape, path):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        what = "value" if isinstance(value, int | float) else "length"
        yield (
            f"Value {value!r} at '{path}' failed to satisfy constraint: Member must have {what} "
            f"between {low if low is not None else 'any'} and {high if high is not None else 'any'}"
        )


def _text_breaches(value, shape, path):
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: {allowed}"
    pattern = compiled(shape.metadata.get("pattern", ""))
    if pattern and not pattern.fullmatch(value):
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy regular expression "
            f"pattern: {pattern.pattern}"
        )


@functools.cache
def compiled(pattern: str):
    """Compile the model's pattern, which is Java's; one that Python cannot read is not checked."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None


def pick(operation_or_shape: str, record: dict) -> dict:
    """Return the part of a record for which a shape, or an operation's response, has members."""
    model = service()
    if operation_or_shape in model.operation_names:
        members = _output_members(operation_or_shape)
    else:
        members = model.shape_for(operation_or_shape).members
    return {name: value for name, value in record.items() if name in members}


def in_milliseconds(value, shape):
    """Return a response as events and Step Functions carry it: timestamps in epoch milliseconds instead of seconds."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        return {name: in_milliseconds(member, shape.members[name]) for name, member in value.items()}
    if shape.type_name == "list":
        return [in_milliseconds(member, shape.member) for member in value]
    return int(value * 1000) if shape.type_name == "timestamp" else value


def from_text(value, shape):
    """Convert a CloudFormation property to the API's type: templates write numbers and booleans as text."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            name: from_text(member, shape.members[name]) if name in shape.members else member
            for name, member in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [from_text(member, shape.member) for member in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: from_text(member, shape.value) for key, member in value.items()}
    if shape.type_name in ("integer", "long") and isinstance(value, str):
        return int(value)
    if shape.type_name in ("float", "double") and isinstance(value, str):
        return float(value)
    if shape.type_name == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return str(value) if shape.type_name == "string" and isinstance(value, int | float) else value
