"""The contract: what a row must be and where each column comes from.

`check_row` judges one row with the standard library; `model_code/rows/tables.py` gives the same verdicts on Arrow
batches. A row is a dict of column to value: text, whole number, number, true or false, or None. A timestamp is ISO 8601
text.
"""

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

TYPES = ("string", "integer", "float", "boolean", "timestamp")
ROLES = ("feature", "key", "event_time", "target", "ignored")
LARGEST_INTEGER = 2**53  # the largest that float64 and every JSON reader keep exact
LONGEST_TEXT = 1024
LONGEST_KEY_BYTES = 1024
# No 24:00, which some versions of Python take for midnight and others refuse.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")


class ContractError(Exception):
    """A row broke the contract. `problems` holds every breach."""

    def __init__(self, problems: "list[Problem]"):
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


class Problem(NamedTuple):
    """One breach: the column, the value found, the rule it broke and what the rule allows."""

    column: str
    value: object
    rule: str
    allowed: str

    @property
    def message(self) -> str:
        return f"{cut(self.column)} = {cut(repr(self.value))}: {self.rule}, {self.allowed}"


def cut(text: str, most: int = 200) -> str:
    """What a message repeats of what was found: a megabyte is not told twice."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters in all)"


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


# ---- a row


def check_row(contract: Contract, row: dict, *, with_target: bool) -> tuple[dict, list[Problem]]:
    """The row as the contract writes it, and every problem it has.

    A row to learn from needs its target and what the contract ignores; a row to score needs neither, and a target it
    brings along is left out. The clean row has every other column of the contract, None where nothing was given.
    """
    if not isinstance(row, dict):
        return {}, [Problem("(row)", row, "type", "must be an object of column names to values")]
    problems = [
        Problem(str(name), value, "unknown_column", f"is not in the contract {contract.name!r}")
        for name, value in row.items()
        if name not in contract.by_name
    ]
    clean = {}
    for column in contract.held_to(with_target=with_target):
        clean[column.name], found = check_value(column, row.get(column.name))
        problems += found
    return clean, problems


def check_value(column: Column, value) -> tuple[object, list[Problem]]:
    """The value in the contract's own type, and what is wrong with it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None, [] if column.nullable else [Problem(column.name, None, "null", "must have a value")]
    kept, allowed = CONVERT[column.type](value)
    if allowed:
        return value, [Problem(column.name, value, "type", allowed)]
    return kept, limit_problems(column, kept)


def limit_problems(column: Column, value) -> list[Problem]:
    found = []
    if column.minimum is not None and value < column.minimum:
        found.append(Problem(column.name, value, "minimum", f"must be at least {column.minimum}"))
    if column.maximum is not None and value > column.maximum:
        found.append(Problem(column.name, value, "maximum", f"must be at most {column.maximum}"))
    if column.categories is not None and value not in column.categories:
        found.append(Problem(column.name, value, "category", f"must be one of {shortened(column.categories)}"))
    return found


def shortened(categories: tuple, most: int = 12) -> str:
    listed = ", ".join(map(str, categories[:most]))
    return listed if len(categories) <= most else f"{listed}, ... ({len(categories)} in all)"


def to_string(value):
    if not isinstance(value, str) or not is_unicode(value):
        return value, "must be text"
    return value, f"must have at most {LONGEST_TEXT} characters" if len(value) > LONGEST_TEXT else ""


def is_unicode(text: str) -> bool:
    """JSON can hold one half of a surrogate pair, which is no character and cannot be stored or hashed."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def to_integer(value):
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) > LARGEST_INTEGER:
        return value, f"must be a whole number within +-{LARGEST_INTEGER}"
    return int(value), ""


def to_float(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        return value, "must be a finite number"
    return float(value), ""


def is_finite(number) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond float64
        return False


def to_boolean(value):
    return value, "" if isinstance(value, bool) else "must be true or false"


def to_timestamp(value):
    moment = parse_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        return value, "must be ISO 8601 text such as 2013-04-01T09:30:00Z"
    return iso(moment), ""


CONVERT = {
    "string": to_string,
    "integer": to_integer,
    "float": to_float,
    "boolean": to_boolean,
    "timestamp": to_timestamp,
}


def parse_timestamp(text: str) -> datetime | None:
    """ISO 8601 date, or date and time to the microsecond, UTC unless it says otherwise. None if it is anything else."""
    match = TIMESTAMP.fullmatch(text)
    if not match or not text.isascii():
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(moment: datetime) -> str:
    """The one way a moment is written: UTC, seconds, and microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


WHOLE = re.compile(r"[+-]?\d{1,17}(\.0*)?")
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
TRUE, FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


def from_text(column: Column, text: str | None):
    """The value that a cell of a text file (CSV) stands for; text that does not fit is kept, for `check_value` to
    refuse.
    """
    if text is None or text == "":
        return None
    if column.type == "integer" and WHOLE.fullmatch(text) and text.isascii():
        return int(text.partition(".")[0])
    if column.type == "float" and DECIMAL.fullmatch(text) and text.isascii():
        return float(text)
    if column.type == "boolean" and text.lower() in TRUE + FALSE:
        return text.lower() in TRUE
    return text


# ---- keys


def entity_id(contract: Contract, row: dict) -> str:
    """Whom or what the row is about: its key columns, joined; without a key, the hash of its features."""
    keys = contract.of_role("key")
    if keys:
        return as_key("|".join(str(row[column.name]) for column in keys))
    features = [row.get(column.name) for column in contract.features]
    return hashlib.sha256(json.dumps(features, ensure_ascii=False).encode()).hexdigest()[:32]


def as_key(text: str) -> str:
    """The text, or its hash where a table could not take it as a key: empty, or too long."""
    encoded = text.encode()
    return text if 1 <= len(encoded) <= LONGEST_KEY_BYTES else hashlib.sha256(encoded).hexdigest()[:32]


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
