"""The contract: what a row must be and where each column comes from, as types and as plain data."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

TYPES = ("string", "integer", "float", "boolean", "timestamp")
ROLES = ("feature", "key", "event_time", "target", "ignored")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    role: str = "feature"
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple | None = None
    source: str = ""
    owner: str = ""
    description: str = ""


@dataclass(frozen=True)
class Contract:
    """Columns in file order. `prior` is the answer without a model: a probability (binary), a probability by class
    (multiclass) or a value (regression)."""

    name: str
    task: str
    columns: tuple[Column, ...]
    prior: float | dict
    positive: object = True
    by_name: dict = field(init=False, compare=False, repr=False)
    to_score: tuple[Column, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        object.__setattr__(
            self, "to_score", tuple(as_scored(column) for column in self.columns if column.role != "target")
        )

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

    def held_to(self, *, with_target: bool) -> tuple[Column, ...]:
        """What a row is held to. To learn from it, all columns as they are; to score it, not the target, and what is
        ignored may be empty.
        """
        return self.columns if with_target else self.to_score

    def header(self, *, with_target: bool) -> list[str]:
        """The columns that a file must have, also those that may be empty in every row."""
        return [
            column.name for column in self.held_to(with_target=with_target) if with_target or column.role != "ignored"
        ]

    @property
    def hash(self) -> str:
        """16 hex digits that change whenever the contract does."""
        text = json.dumps(as_dict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_scored(column: Column) -> Column:
    """No model reads an ignored column, so a row to score may leave it away; what it does give is judged."""
    return replace(column, nullable=True) if column.role == "ignored" else column


# ---- as plain data


def from_dict(document: dict) -> Contract:
    """From the TOML document, or from what `as_dict` wrote; checked already."""
    target, specs = document["target"], document["columns"]
    if isinstance(specs, list):
        specs = {spec["name"]: {key: value for key, value in spec.items() if key != "name"} for spec in specs}
    columns = tuple(
        Column(name=name, role=role_of(document, name, spec), **column_values(spec)) for name, spec in specs.items()
    )
    return Contract(
        name=document["name"],
        task=document["task"],
        columns=columns,
        prior=target["prior"],
        positive=target.get("positive", True),
    )


def column_values(spec: dict) -> dict:
    values = {key: value for key, value in spec.items() if key != "role"}
    if "categories" in values:
        values["categories"] = tuple(values["categories"])
    return values


def role_of(document: dict, name: str, spec: dict) -> str:
    if name == document["target"]["column"]:
        return "target"
    if name in document.get("key", []):
        return "key"
    if name == document.get("event_time"):
        return "event_time"
    return spec.get("role", "feature")


def as_dict(contract: Contract) -> dict:
    """The contract as JSON can hold it, in the shape of the TOML file but for its columns: a list, since their order
    counts (for cells of a text file, for the hash of a row) and a JSON object that is written with sorted keys loses
    it.
    """
    document = {
        "name": contract.name,
        "task": contract.task,
        "key": [column.name for column in contract.of_role("key")],
        "target": {"column": contract.target.name, "prior": contract.prior, "positive": contract.positive},
        "columns": [column_as_dict(column) for column in contract.columns],
    }
    if contract.event_time:
        document["event_time"] = contract.event_time.name
    return document


def column_as_dict(column: Column) -> dict:
    # `0 in (None, "", False)` is true, and a minimum of 0 must stay: identity, not equality.
    values = {
        key: value for key, value in asdict(column).items() if value is not None and value is not False and value != ""
    }
    if column.role != "ignored":
        values.pop("role")
    return {**values, "categories": list(column.categories)} if column.categories is not None else values
