"""CloudFormation's registry: the schema of each resource type, and the problems of a resource's properties.

The schemas are those of cfn-lint's distribution, which collects them from the registry, region by region. Its code is
not imported: a type's file is read when the type is first used.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REGION = "us-east-1"  # of the local AWS


@functools.cache
def _folder() -> Path:
    found = importlib.util.find_spec("cfnlint")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("cfn-lint is not installed; run `make setup`")
    return Path(found.submodule_search_locations[0]) / "data" / "schemas"


@functools.cache
def _index() -> dict[str, str]:
    """Return type -> the name of its file."""
    listed: dict[str, str] = json.loads((_folder() / "providers" / f"{REGION}.json").read_text("utf-8"))
    return listed


@functools.cache
def schema(kind: str) -> dict[str, Any] | None:
    """Return the schema of a type with only what a template may set; None for an unknown type."""
    if kind not in _index():
        return None
    found: dict[str, Any] = json.loads((_folder() / "resources" / f"{_index()[kind]}.json").read_text("utf-8"))
    for name in _read_only(found):
        found["properties"].pop(name, None)
    _drop_unreadable(found)
    return found


def _read_only(found: dict[str, Any]) -> list[str]:
    """Return the properties that only the service sets; nested ones are left to the service."""
    paths = [path.split("/")[2:] for path in found.get("readOnlyProperties", [])]
    required = found.get("required", [])
    return [path[0] for path in paths if len(path) == 1 and path[0] not in required]


def _drop_unreadable(part: Any) -> None:
    """Remove rules about names whose pattern Python cannot read: the registry's are Java's or JavaScript's."""
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _drop_unreadable(inner)
    patterns = part.get("patternProperties") if isinstance(part, dict) else None
    if isinstance(patterns, dict) and not all(map(_compiled, patterns)):
        del part["patternProperties"]
        part.pop("additionalProperties", None)


def problems(kind: str, properties: dict[str, Any]) -> list[str]:
    """Describe the problems of resolved properties in CloudFormation's words: `#/Timeout: expected type:
    Integer, ...`.
    """
    found = schema(kind)
    if found is None:
        return []
    return sorted({_words(error) for error in _validator(kind).iter_errors(_coerced(properties, found, found))})


@functools.cache
def _validator(kind: str) -> Any:
    import jsonschema  # lazy: only a deployment needs it, and it takes longer to import than the server to answer

    checks = {"pattern": _pattern, "format": _ignored}
    return jsonschema.validators.extend(jsonschema.Draft7Validator, checks)(schema(kind))


def _pattern(validator: Any, pattern: str, value: Any, schema: dict[str, Any]) -> Iterator[Any]:
    import jsonschema  # lazy: as in _validator

    compiled = _compiled(pattern)
    if isinstance(value, str) and compiled and not compiled.search(value):
        yield jsonschema.ValidationError(f"string [{value}] does not match pattern {pattern}")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern; None if Python cannot read it, and then it is not checked."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _ignored(validator: Any, value: Any, instance: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """Accept cfn-lint's own formats, such as the id of a subnet."""
    yield from ()


def _words(error: Any) -> str:
    """Write an error as CloudFormation does."""
    place = "#" + "".join(f"/{part}" for part in error.absolute_path)
    rule, limit, value = error.validator, error.validator_value, error.instance
    if rule == "required":
        missing = next(name for name in limit if name not in value)
        return f"{place}: required key [{missing}] not found"
    if rule == "additionalProperties":
        allowed, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
        extra = [name for name in value if name not in allowed and not any(re.search(each, name) for each in patterns)]
        return f"{place}: extraneous key [{extra[0]}] is not permitted"
    if rule == "enum":
        return f"{place}: {value} is not a valid enum value"
    if rule == "type":
        return f"{place}: expected type: {limit}, found: {type(value).__name__}"
    if rule in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"):
        return f"{place}: failed validation constraint for keyword [{rule}]"
    return f"{place}: {error.message[:300]}"


def _coerced(value: Any, shape: Any, root: dict[str, Any]) -> Any:
    """Convert values to their schema's types: templates write numbers and booleans as text, and text as numbers."""
    shape = _followed(shape, root)
    kinds = shape.get("type")
    if isinstance(value, dict):
        members = shape.get("properties", {})
        return {name: _coerced(inner, members.get(name, {}), root) for name, inner in value.items()}
    if isinstance(value, list):
        return [_coerced(inner, shape.get("items", {}), root) for inner in value]
    wanted = kinds if isinstance(kinds, list) else [kinds]
    return value if "string" in wanted and isinstance(value, str) else _converted(value, wanted)


def _followed(shape: Any, root: dict[str, Any]) -> dict[str, Any]:
    for _ in range(8):  # a definition may refer to another
        if not isinstance(shape, dict) or "$ref" not in shape:
            break
        shape = functools.reduce(lambda found, part: found.get(part, {}), shape["$ref"].split("/")[1:], root)
    return shape if isinstance(shape, dict) else {}


def _converted(value: Any, wanted: list[Any]) -> Any:
    if isinstance(value, str) and "integer" in wanted and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if isinstance(value, str) and "number" in wanted and re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", value):
        return float(value)
    if isinstance(value, str) and "boolean" in wanted and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool) and "string" in wanted and "boolean" not in wanted:
        return str(value).lower()
    if isinstance(value, int | float) and wanted == ["string"]:
        return str(value)
    return value
