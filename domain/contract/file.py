"""Read a contract from its TOML file, and name every mistake in it at once."""

import math
import re
from pathlib import Path
from typing import Any

from domain.config.sections import ConfigError, read_toml
from domain.contract.schema import TYPES, Column, Contract, column_values, from_dict, role_of
from domain.contract.text import NUMERIC, SPACES, from_text
from domain.contract.values import check_value, is_finite, to_float


def read_contract(file: Path | str, task: str) -> Contract:
    """Read the contract from a TOML file. Raises ConfigError naming every mistake."""
    file = Path(file)
    document = read_toml(file)
    problems = problems_of(document, task)
    if problems:
        raise ConfigError(str(file), problems)
    return from_dict({**document, "task": task})


_TOP: dict[str, Any] = {"name": str, "key": list, "event_time": str, "missing": list, "target": dict, "columns": dict}
COLUMN: dict[str, Any] = {
    "type": str,
    "role": str,
    "nullable": bool,
    "minimum": (int, float),
    "maximum": (int, float),
    "categories": list,
    "missing": list,
    "unit": str,
    "thousands": str,
    "decimal": str,
    "source": str,
    "owner": str,
    "description": str,
}


def problems_of(document: dict[str, Any], task: str) -> list[str]:
    """Describe every mistake in the TOML document of a contract, one line each."""
    problems = [f"{key}: must be one of the keys {', '.join(_TOP)}" for key in document if key not in _TOP]
    problems += [
        f"{key} = {document[key]!r}: must be a {_TOP[key].__name__}"
        for key in _TOP
        if key in document and not isinstance(document[key], _TOP[key])
    ]
    problems += [f"{key} is missing" for key in ("name", "target", "columns") if key not in document]
    problems = problems or _name_problems(document)
    if problems:
        return problems
    for name, spec in document["columns"].items():
        problems += _column_problems(name, spec) or _notation_problems(name, spec, document.get("missing", []))
    return problems or _reference_problems(document) or _target_problems(document, task)


def _name_problems(document: dict[str, Any]) -> list[str]:
    """Describe columns whose names are not text."""
    named = [("target.column", document["target"].get("column")), *(("key", name) for name in document.get("key", []))]
    return [
        f"{path} = {name!r}: must be the name of a column, in quotes"
        for path, name in named
        if not isinstance(name, str)
    ]


def _column_problems(name: str, spec: Any) -> list[str]:
    path = f"columns.{name}"
    if not isinstance(spec, dict):
        return [f"{path}: must be a table with at least a type"]
    problems = [f"{path}.{key}: must be one of the keys {', '.join(COLUMN)}" for key in spec if key not in COLUMN]
    for key, kind in COLUMN.items():
        if key in spec and (not isinstance(spec[key], kind) or (isinstance(spec[key], bool) and kind is not bool)):
            problems.append(f"{path}.{key} = {spec[key]!r}: has the wrong type")
    if problems:
        return problems
    if spec.get("type") not in TYPES:
        problems.append(f"{path}.type = {spec.get('type')!r}: must be one of {', '.join(TYPES)}")
    elif spec.get("role", "feature") not in ("feature", "ignored"):
        problems.append(
            f"{path}.role = {spec['role']!r}: must be feature or ignored; key, event_time and target name columns"
        )
    else:
        problems += _limits_that_do_not_fit(path, spec)
    return problems


def _limits_that_do_not_fit(path: str, spec: dict[str, Any]) -> list[str]:
    problems = []
    numeric = spec["type"] in ("integer", "float")
    problems += [
        f"{path}.{key} = {spec[key]}: must be finite"
        for key in ("minimum", "maximum")
        if not is_finite(spec.get(key, 0))
    ]
    problems += [
        f"{path}.{key}: must be left out; only a number has a {key}, and this column is a {spec['type']}"
        for key in ("minimum", "maximum")
        if key in spec and not numeric
    ]
    if numeric and spec.get("minimum", -math.inf) > spec.get("maximum", math.inf):
        problems.append(f"{path}.minimum = {spec['minimum']}: must be at most maximum = {spec['maximum']}")
    categories = spec.get("categories")
    if categories is not None:
        kind = {"string": str, "integer": int}.get(spec["type"])
        if kind is None or not categories or any(type(item) is not kind for item in categories):
            problems.append(
                f"{path}.categories: must list at least one value of the column's type; "
                "only string and integer columns have categories"
            )
        elif len(set(categories)) < len(categories):
            problems.append(f"{path}.categories: must list each value once")
    return problems


_UNIT = re.compile(r"[^\d+\-.,()\s]([^\d+\-,()]{0,10}[^\d+\-,()\s])?")


def _notation_problems(name: str, spec: dict[str, Any], for_all: list[Any]) -> list[str]:
    """Describe mistakes in the texts that mean null in a column, and in the format of its numbers."""
    path, kind = f"columns.{name}", spec["type"]
    missing = spec.get("missing", for_all)
    if any(not isinstance(marker, str) or marker != marker.strip(SPACES) or not marker for marker in missing):
        return [f"{path}.missing = {missing!r}: must be texts in quotes, not empty, without spaces around them"]
    plain = Column(name, kind)
    values = [
        marker
        for marker in missing
        if (
            marker in spec.get("categories", [])
            if kind == "string"
            else not check_value(plain, from_text(plain, marker))[1]
        )
    ]
    problems = [
        f"{path}.missing = {marker!r}: must not be a value of the column itself; "
        f"omit it, with the column's own `missing = [...]`"
        for marker in values
    ]
    keys = [key for key in ("unit", "thousands", "decimal") if spec.get(key)]
    if keys and kind not in NUMERIC:
        why = f"only a number has a {keys[0]}, and this column is a {kind}"
        return [*problems, f"{path}.{keys[0]}: must be left out; {why}"]
    if spec.get("decimal", ".") not in (".", ","):
        problems.append(f"{path}.decimal = {spec['decimal']!r}: must be . or ,")
    if spec.get("thousands", "") not in ("", ",", ".", " ", "'", "\u2019", "_") or (
        spec.get("thousands") == spec.get("decimal", ".")
    ):
        problems.append(
            f"{path}.thousands = {spec['thousands']!r}: must be one of , . ' _ or a space, not the decimal sign"
        )
    if spec.get("unit") and not _UNIT.fullmatch(spec["unit"]):
        problems.append(f"{path}.unit = {spec['unit']!r}: must be a sign such as $, % or EUR, of at most 12 characters")
    return problems


def _reference_problems(document: dict[str, Any]) -> list[str]:
    columns, problems = document["columns"], []
    target = document["target"].get("column")
    event_time = document.get("event_time")
    for path, name in [("target.column", target), *[("key", name) for name in document.get("key", [])]]:
        if name not in columns:
            problems.append(f"{path} = {name!r}: must be one of the columns")
        elif path == "key" and columns[name].get("nullable"):
            problems.append(f"key {name!r} is nullable; a key must always have a value")
    if event_time is not None and columns.get(event_time, {}).get("type") != "timestamp":
        problems.append(f"event_time = {event_time!r}: must name a timestamp column")
    elif event_time is not None and columns[event_time].get("nullable"):
        problems.append(f"event_time {event_time!r} is nullable; it must always have a value")
    roles = [target, event_time, *document.get("key", [])]
    twice = {name for name in roles if name is not None and roles.count(name) > 1}
    problems += [f"{name!r} has two roles among target, event_time and key" for name in sorted(map(str, twice))]
    if not any(role_of(document, name, spec) == "feature" for name, spec in columns.items()):
        problems.append("no column is a feature; at least one must be")
    return problems


_TARGET = ("column", "prior", "positive")


def _target_problems(document: dict[str, Any], task: str) -> list[str]:
    target = document["target"]
    column = Column(target["column"], **column_values(document["columns"][target["column"]]))
    problems = [f"target.{key}: must be one of the keys {', '.join(_TARGET)}" for key in target if key not in _TARGET]
    wrong = _prior_problem(task, target.get("prior"), column)
    problems += [f"target.prior = {target.get('prior')!r}: {wrong}"] if wrong else []
    return problems + (_positive_problems(target, column) if task == "binary" else [])


def _prior_problem(task: str, prior: Any, column: Column) -> str:
    """Return why this cannot be the answer without a model; empty if it can."""
    if task == "multiclass":
        return _shares_problem(prior, column)
    _, wrong = to_float(prior)
    if task == "binary":
        return (
            "a binary task needs the probability of the positive class, 0 to 1" if wrong or not 0 <= prior <= 1 else ""
        )
    fits = not wrong and column.type in ("integer", "float")
    return "" if fits else f"a regression needs a number, for a column of numbers; this is a {column.type}"


def _shares_problem(prior: Any, column: Column) -> str:
    shares = list(prior.values()) if isinstance(prior, dict) else []
    if any(to_float(share)[1] or share < 0 for share in shares) or abs(sum(shares) - 1) > 1e-3:
        return "a multiclass task needs a table of class = probability that sums to 1"
    if column.type not in ("string", "integer"):
        return f"classes are text or whole numbers; {column.name!r} is a {column.type}"
    wrong = [name for name in prior if not _is_class(column, name)]
    return f"{', '.join(wrong)}: not a value of {column.name!r}" if wrong else ""


def _is_class(column: Column, name: str) -> bool:
    value, problems = check_value(column, from_text(column, name))
    return not problems and str(value) == name


def _positive_problems(target: dict[str, Any], column: Column) -> list[str]:
    if column.type != "boolean" and "positive" not in target:
        return ["target.positive is missing; it says which value of the target counts as a yes"]
    _, problems = check_value(column, target.get("positive", True))
    return [f"target.positive = {target['positive']!r}: {problem.allowed}" for problem in problems]
