"""The contract as types and plain data: what a row must look like, and where each column comes from."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from domain.contract.text import NUMERIC

TYPES = ("string", "integer", "float", "boolean", "timestamp")
ROLES = ("feature", "key", "event_time", "target", "ignored")


@dataclass(frozen=True)
class Column:
    """A column of the contract.

    `missing` lists texts that mean null. `unit`, `thousands` and `decimal` describe how its numbers are written in text
    files, such as $, a comma and a point in $1,234.50.
    """

    name: str
    type: str
    role: str = "feature"
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str | int, ...] | None = None
    missing: tuple[str, ...] = ()
    unit: str = ""
    thousands: str = ""
    decimal: str = ""
    source: str = ""
    owner: str = ""
    description: str = ""
    has_notation: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        notation = self.type in NUMERIC and bool(self.unit or self.thousands or self.decimal)
        object.__setattr__(self, "has_notation", notation)


@dataclass(frozen=True)
class Contract:
    """The contract, with its columns in file order.

    `prior` is the answer without a model: a probability (binary), a probability by class (multiclass) or a value
    (regression). `to_score` and `to_learn` are the columns that a row is checked against, also by name in `checked`.
    `to_answer` are the features without their limits, as a model accepts the values of a row that was checked under
    another contract.
    """

    name: str
    task: str
    columns: tuple[Column, ...]
    prior: float | dict[str, float]
    positive: object = True
    by_name: dict[str, Column] = field(init=False, compare=False, repr=False)
    to_score: tuple[Column, ...] = field(init=False, compare=False, repr=False)
    to_learn: tuple[Column, ...] = field(init=False, compare=False, repr=False)
    to_answer: tuple[Column, ...] = field(init=False, compare=False, repr=False)
    checked: dict[str, Column] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        columns = tuple(_as_checked(column) for column in self.columns)
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        object.__setattr__(self, "to_learn", columns)
        object.__setattr__(self, "to_score", tuple(column for column in columns if column.role != "target"))
        object.__setattr__(self, "to_answer", tuple(map(_as_answered, self.features)))
        object.__setattr__(self, "checked", {column.name: column for column in columns})

    def of_role(self, role: str) -> list[Column]:
        return [column for column in self.columns if column.role == role]

    @property
    def features(self) -> list[Column]:
        return self.of_role("feature")

    @property
    def target(self) -> Column:
        return self.of_role("target")[0]

    @property
    def event_time(self) -> Column | None:
        return next(iter(self.of_role("event_time")), None)

    def columns_to_check(self, *, with_target: bool) -> tuple[Column, ...]:
        """Return the columns that a row is checked against: with the target for learning, without it for scoring."""
        return self.to_learn if with_target else self.to_score

    def header(self, *, with_target: bool) -> list[str]:
        """Return the columns that a file must have; a nullable column may be absent, as in a request."""
        return [column.name for column in self.columns_to_check(with_target=with_target) if not column.nullable]

    @property
    def hash(self) -> str:
        """Return 16 hex digits that change whenever the contract does."""
        text = json.dumps(as_dict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _as_checked(column: Column) -> Column:
    """Return the columns of a check; ignored ones may be omitted, as no model reads them."""
    return replace(column, nullable=True) if column.role == "ignored" else column


def _as_answered(column: Column) -> Column:
    """Return the features without limits: a model accepts any value of the right type, seen or not."""
    return replace(column, nullable=True, minimum=None, maximum=None, categories=None)


# ---- as plain data


def from_dict(document: dict[str, Any]) -> Contract:
    """Make the contract from a checked TOML document, or from what `as_dict` wrote."""
    target, specs = document["target"], document["columns"]
    if isinstance(specs, list):
        specs = {spec["name"]: {key: value for key, value in spec.items() if key != "name"} for spec in specs}
    missing = document.get("missing", [])
    columns = tuple(
        Column(name=name, role=role_of(document, name, spec), **column_values({"missing": missing, **spec}))
        for name, spec in specs.items()
    )
    return Contract(
        name=document["name"],
        task=document["task"],
        columns=columns,
        prior=target["prior"],
        positive=target.get("positive", True),
    )


def column_values(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a Column, except its name and role."""
    values = {key: value for key, value in spec.items() if key != "role"}
    return values | {key: tuple(values[key]) for key in ("categories", "missing") if key in values}


def role_of(document: dict[str, Any], name: str, spec: dict[str, Any]) -> str:
    """Return the role of a column in a TOML document."""
    if name == document["target"]["column"]:
        return "target"
    if name in document.get("key", []):
        return "key"
    if name == document.get("event_time"):
        return "event_time"
    return str(spec.get("role", "feature"))


def as_dict(contract: Contract) -> dict[str, Any]:
    """Return the contract as JSON can hold it, in the shape of the TOML file.

    Columns are a list, because their order matters for the hash of a row, and a JSON object written with sorted keys
    loses its order.
    """
    document: dict[str, Any] = {
        "name": contract.name,
        "task": contract.task,
        "key": [column.name for column in contract.of_role("key")],
        "target": {"column": contract.target.name, "prior": contract.prior, "positive": contract.positive},
        "columns": [_column_as_dict(column) for column in contract.columns],
    }
    if contract.event_time:
        document["event_time"] = contract.event_time.name
    return document


def _column_as_dict(column: Column) -> dict[str, Any]:
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(column).items()}
    left_out = {"has_notation"} | ({"role"} if column.role != "ignored" else set())
    # Compare by identity: `0 in (None, "", False)` is true, and a minimum of 0 must stay. A name may be empty.
    return {
        key: value
        for key, value in values.items()
        if key not in left_out
        and (key == "name" or (value is not None and value is not False and value not in ("", [])))
    }
