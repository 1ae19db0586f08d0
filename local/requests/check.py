"""Problems of a request's parameters by its model: missing, wrong type, too long, out of range."""

import functools
import re
from collections.abc import Iterator
from typing import Any

MOST_NAMED = 10  # problems in one answer


def problems(parameters: dict[str, Any], shape: Any) -> list[str]:
    """Describe the problems in AWS's words: `Value 'x' at 'path' failed to satisfy constraint: Member must ...`."""
    found = _of(parameters, shape, "")
    return [problem for problem, _ in zip(found, range(MOST_NAMED), strict=False)]


def message(found: list[str]) -> str:
    return f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: {'; '.join(found)}"


def _of(value: Any, shape: Any, path: str) -> Iterator[str]:
    check = _CHECKS.get(shape.type_name)
    if value is not None and check and not getattr(shape, "is_document_type", False):
        yield from check(value, shape, path)


def _structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said(value, path, "Member must be a structure")
        return
    for name in shape.required_members:
        if value.get(name, value.get(_wire(shape.members[name], name))) is None:
            yield f"Value null at '{_below(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, member in shape.members.items():
        yield from _of(value.get(name, value.get(_wire(member, name))), member, _below(path, name))


def _wire(member: Any, name: str) -> str:
    """Return the name in JSON, which differs from the model's for some services."""
    return str(member.serialization.get("name", name))


def _below(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _list(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _said(value, path, "Member must be a list")
        return
    yield from _size(len(value), value, shape, path, "length")
    for index, inner in enumerate(value):
        yield from _of(inner, shape.member, f"{path}.{index + 1}.member")


def _map(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said(value, path, "Member must be a map")
        return
    yield from _size(len(value), value, shape, path, "length")
    for key, inner in value.items():
        yield from _of(key, shape.key, path)
        yield from _of(inner, shape.value, f"{path}.{key}.member")


def _string(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield _said(value, path, "Member must be a string")
        return
    yield from _size(len(value), value, shape, path, "length")
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield _said(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    pattern = _compiled(shape.metadata.get("pattern", ""))
    if pattern and not pattern.fullmatch(value):
        yield _said(value, path, f"Member must satisfy regular expression pattern: {pattern.pattern}")


def _number(value: Any, shape: Any, path: str) -> Iterator[str]:
    whole = shape.type_name in ("integer", "long")
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != int(value)):
        if value not in ("NaN", "Infinity", "-Infinity") or whole:  # JSON's words for what it has no numbers for
            yield _said(value, path, "Member must be a number")
        return
    yield from _size(value, value, shape, path, "value")


def _boolean(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield _said(value, path, "Member must be a boolean")


def _blob(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Return bytes, which JSON carries in base64."""
    size = len(value.rstrip("=")) * 3 // 4 if isinstance(value, str) else len(value)
    yield from _size(size, f"{size} bytes", shape, path, "length")


_CHECKS = {
    "blob": _blob,
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
}


def _size(size: float, value: Any, shape: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _said(value, path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield _said(value, path, f"Member must have {what} less than or equal to {most}")


def _said(value: Any, path: str, constraint: str) -> str:
    return f"Value '{str(value)[:200]}' at '{path}' failed to satisfy constraint: {constraint}"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile the model's pattern, which is Java's; one that Python cannot read is not checked."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None
