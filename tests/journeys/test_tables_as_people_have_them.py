"""Tables as people have them, each from `init` to predictions: what init decides, what load takes, what is learnt."""

import gzip
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairway.terminal.errors import Refused
from tests.journeys.walk import walk

ROWS = 320


@dataclass(frozen=True)
class Order:
    """One row before somebody's export gets hold of it."""

    number: int
    price: float
    items: int
    shop: str
    paid: bool

    @property
    def day(self) -> date:
        return date(2024, 1, 1) + timedelta(days=self.number)

    @property
    def yes(self) -> str:
        return "yes" if self.paid else "no"


def orders(count: int = ROWS) -> Iterator[Order]:
    """Dear orders of many items are mostly paid: ROC AUC of about 0.9."""
    draw = random.Random(11)
    for number in range(count):
        price, items, shop = draw.uniform(10, 90), draw.randint(1, 9), draw.choice(["north", "south", "web"])
        paid = draw.random() < 1 / (1 + math.exp(-(price - 50) / 8 - (items - 5) / 2))
        yield Order(number, round(price, 2), items, shop, paid)


def lines(head: str, row: Callable[[Order], str], *, count: int = ROWS, end: str = "\n") -> str:
    return end.join([head, *map(row, orders(count))]) + end


def plain(one: Order) -> str:
    return f"{one.price},{one.items},{one.shop},{one.yes}"


HEAD = "price,items,shop,paid"


@dataclass(frozen=True)
class Kind:
    """A kind of table, and what is right for it. `roles` and `types` need not name every column."""

    content: str | bytes | Callable[[Path], None]
    file: str = "orders.csv"
    target: str = "paid"
    task: str = "binary"
    roles: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    accepted: int = ROWS
    quarantined: dict[str, int] = field(default_factory=dict)  # by rule, at load
    scored: int = ROWS
    unscored: dict[str, int] = field(default_factory=dict)  # by rule, in the batch
    notes: tuple[str, ...] = ()
    quality: float = 0.8


def jsonl(row: Callable[[Order], dict[str, Any]], *, count: int = ROWS) -> str:
    return "".join(json.dumps(row(one)) + "\n" for one in orders(count))


def parquet(**columns: Callable[[Order], Any]) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        every = list(orders())
        pq.write_table(pa.table({name: [cell(one) for one in every] for name, cell in columns.items()}), file)

    return write


def spend(one: Order) -> str:
    return f"{one.items},{one.shop},{'NA' if one.number % 9 == 0 else one.items * 7 + one.number % 3}"


def european(one: Order) -> str:
    return f"{one.price:.2f} €;{one.items};{one.shop};{one.yes}".replace(".", ",")


def numbers(one: Order) -> dict[str, Any]:
    return {"price": one.price, "items": one.items, "paid": one.paid}


def but(row: Callable[[Order], str], number: int, other: Callable[[Order], str]) -> Callable[[Order], str]:
    """Rows of which one is written otherwise."""
    return lambda one: other(one) if one.number == number else row(one)


def nanoseconds(one: Order) -> str:
    return f"{one.day}T08:00:00.{one.number * 1_000_007 % 10**9:09d}Z"


COLUMNS: dict[str, Callable[[Order], Any]] = {
    "price": lambda one: one.price,
    "items": lambda one: one.items,
    "paid": lambda one: one.yes,
}
NUMBERS = {"price": "float", "items": "integer"}
FEATURES = {"price": "feature", "items": "feature", "shop": "feature"}
KINDS = {
    "an unnamed index": Kind(
        lines("," + HEAD, lambda one: f"{one.number},{plain(one)}"), roles={"": "ignored"}, notes=("numbers the rows",)
    ),
    "a comma at the end of each line": Kind(
        lines(HEAD + ",", lambda one: plain(one) + ","), roles={"": "ignored"}, notes=("is always empty",)
    ),
    "row numbers sorted by the target": Kind(
        "Unnamed: 0,"
        + HEAD
        + "\n"
        + "".join(f"{place},{plain(one)}\n" for place, one in enumerate(sorted(orders(), key=lambda one: one.paid))),
        roles={"Unnamed: 0": "ignored"},
    ),
    "a regression whose target is NA at times": Kind(
        lines(
            "items,shop,price",
            lambda one: f"{one.items},{one.shop},{'NA' if one.number % 9 == 0 else one.items * 7 + one.number % 3}",
        ),
        target="price",
        task="regression",
        accepted=284,
        quarantined={"null": 36},
        notes=("'NA' means null in 36 rows",),
    ),
    "a class that is called NA": Kind(
        lines("price,items,land", lambda one: f"{one.price},{one.items},{['NA', 'DE', 'US'][one.items % 3]}"),
        target="land",
        task="multiclass",
        quality=0.35,
    ),
    "numbers that are NA at times": Kind(
        lines(HEAD, lambda one: f"{'NA' if one.number % 40 == 3 else one.price},{one.items},{one.shop},{one.yes}"),
        types=NUMBERS,
        notes=("'price': 'NA' means null in 8 rows",),
    ),
    "question marks in numbers and in the target": Kind(
        lines(HEAD, but(plain, 7, lambda one: f"?,{one.items},{one.shop},?")),
        types=NUMBERS,
        accepted=319,
        quarantined={"null": 1},
    ),
    "dollars and thousands": Kind(
        lines(HEAD, lambda one: f'"${one.price * 1000:,.2f}",{one.items},{one.shop},{one.yes}'),
        types=NUMBERS,
        notes=("thousands = ',', unit = '$'",),
    ),
    "semicolons, a decimal comma, euros behind": Kind(
        lines(
            HEAD.replace(",", ";"),
            lambda one: f"{one.price:.2f} €".replace(".", ",") + f";{one.items};{one.shop};{one.yes}",
        ),
        types=NUMBERS,
        notes=("decimal = ','",),
    ),
    "percent": Kind(lines(HEAD, lambda one: f"{one.price}%,{one.items},{one.shop},{one.yes}"), types=NUMBERS),
    "spaces behind the commas, in the header too": Kind(
        lines(HEAD.replace(",", ", "), lambda one: plain(one).replace(",", ", ")), types=NUMBERS, roles=FEATURES
    ),
    "30 rows in which every value differs": Kind(
        "a,b,c,y\n" + "".join(f"{n * 1.5},{100 - n * 1.1:.2f},{n * n / 10},{n * 3.7 + n % 3}\n" for n in range(30)),
        target="y",
        task="regression",
        accepted=30,
        scored=30,
        roles={"a": "feature", "b": "feature", "c": "feature"},
        quality=0.9,
    ),
    "a long remark": Kind(
        lines("remark," + HEAD, lambda one: f"{'word ' * (1 if one.number % 10 else 400)}{one.number},{plain(one)}"),
        roles={"remark": "ignored"},
    ),
    "ids beyond what a float holds": Kind(
        parquet(id=lambda one: 1729382256910270464 + one.number, **COLUMNS),
        file="orders.parquet",
        roles={"id": "key"},
        types={"id": "string"},
    ),
    "ids written as floats": Kind(lines("id," + HEAD, lambda one: f"{one.number}.0,{plain(one)}"), roles={"id": "key"}),
    "decimals of two digits": Kind(
        parquet(**{**COLUMNS, "price": lambda one: Decimal(f"{one.price:.2f}")}), file="orders.parquet", types=NUMBERS
    ),
    "an object in each line": Kind(
        jsonl(lambda one: {"price": one.price, "items": one.items, "meta": {"shop": one.shop}, "paid": one.yes}),
        file="orders.jsonl",
        roles={"meta": "ignored"},
        notes=("'meta' holds lists or objects",),
    ),
    "columns that are called as the API's": Kind(
        lines(
            "id,entity_id,prediction,probability,outcome",
            lambda one: f"k{one.number:05},{one.shop},{one.price},{one.items},{one.yes}",
        ),
        target="outcome",
        roles={"id": "key", "entity_id": "feature", "prediction": "feature"},
    ),
    "line breaks in the header": Kind(
        lines('"Order\nDate","Price\n(EUR)",items,Paid?', lambda one: f"{one.day},{one.price},{one.items},{one.yes}"),
        target="Paid?",
        roles={"Order\nDate": "event_time", "Price\n(EUR)": "feature"},
    ),
    "nanoseconds": Kind(
        lines("seen," + HEAD, lambda one: f"{nanoseconds(one)},{plain(one)}"), roles={"seen": "event_time"}
    ),
    "nanoseconds in JSON": Kind(
        jsonl(lambda one: {"seen": nanoseconds(one), **numbers(one)}),
        file="orders.jsonl",
        roles={"seen": "event_time"},
    ),
    "seconds since 1970": Kind(
        lines("created_at," + HEAD, lambda one: f"{1_780_000_000 + one.number * 9000},{plain(one)}"),
        types={"created_at": "integer"},
        notes=("'created_at' holds seconds, milliseconds, microseconds or nanoseconds",),
    ),
    "nanoseconds since 1970": Kind(
        lines("ts," + HEAD, lambda one: f"{(1_704_067_200 + one.number * 3600) * 10**9},{plain(one)}"),
        roles={"ts": "ignored"},
        notes=("'ts' holds seconds, milliseconds, microseconds or nanoseconds since 1970",),
    ),
    "a date a day, the day first": Kind(
        lines("on," + HEAD, lambda one: f"{one.day:%d/%m/%Y},{plain(one)}"),
        roles={"on": "ignored"},
        notes=("'on' holds dates such as '01/01/2024'",),
    ),
    "a dash beside yes and no": Kind(
        lines(HEAD, but(plain, 7, lambda one: f"{one.price},{one.items},{one.shop},-")),
        accepted=319,
        quarantined={"null": 1},
        notes=("'paid': '-' means null in 1 rows",),
    ),
    "tabs": Kind(
        lines(HEAD.replace(",", "\t"), lambda one: plain(one).replace(",", "\t")), file="orders.tsv", types=NUMBERS
    ),
    "a title that a spreadsheet padded": Kind(
        '"Orders, 2024",,,\n,,,\n' + lines(HEAD, plain), types=NUMBERS, notes=("1 lines above the header",)
    ),
    "amounts in thousands, written k": Kind(
        lines(HEAD, lambda one: f"{one.price}k,{one.items},{one.shop},{one.yes}"),
        notes=("'price' holds texts that are like numbers, such as ",),
        quality=0.6,
    ),
    "a blank first line": Kind("\n" + lines(HEAD, plain), types=NUMBERS),
    "titles above the header": Kind(
        "Orders of 2024\n\n" + lines(HEAD, plain), types=NUMBERS, notes=("1 lines above the header are passed over",)
    ),
    "a total below the rows": Kind(
        lines("shop,price,items,paid", lambda one: f"{one.shop},{one.price},{one.items},{one.yes}")
        + "Total,16000.5,1600,\n",
        types=NUMBERS,
        quarantined={"category": 1, "maximum": 1, "null": 1},
        unscored={"category": 1, "maximum": 1},
        notes=("1 rows are called a total",),
    ),
    "carriage returns alone": Kind(lines(HEAD, plain, end="\r"), types=NUMBERS),
    "one date of noughts": Kind(
        lines("day," + HEAD, but(lambda one: f"{one.day},{plain(one)}", 5, lambda one: f"0000-00-00,{plain(one)}")),
        roles={"day": "event_time"},
        accepted=319,
        quarantined={"null": 1},
        unscored={"null": 1},
        scored=319,
        notes=("'0000-00-00' means null in 1 rows",),
    ),
    "one row of 2099": Kind(
        lines("day," + HEAD, but(lambda one: f"{one.day},{plain(one)}", 5, lambda one: f"2099-01-01,{plain(one)}")),
        roles={"day": "event_time"},
        notes=("1 rows far from the others or still to come, on 2099-01-01",),
    ),
    "one row of 1900": Kind(
        lines("day," + HEAD, but(lambda one: f"{one.day},{plain(one)}", 5, lambda one: f"1900-01-01,{plain(one)}")),
        roles={"day": "event_time"},
        notes=("1 rows far from the others or still to come, on 1900-01-01",),
    ),
    "the header again in the middle": Kind(
        lines(HEAD, but(plain, 160, lambda one: f"{HEAD}\n{plain(one)}")),
        types=NUMBERS,
        quarantined={"header": 1},
        unscored={"header": 1},
        notes=("1 rows repeat the header",),
    ),
    "classes that differ in case": Kind(
        lines(HEAD, lambda one: f"{one.price},{one.items},{one.shop},{one.yes.upper() if one.number % 2 else one.yes}"),
        task="multiclass",
        quality=0.3,
        notes=("'NO' and 'no'; 'YES' and 'yes'",),
    ),
    "one empty key": Kind(
        jsonl(lambda one: {"order_id": f"A{one.number}" if one.number != 9 else "", **numbers(one)}),
        file="orders.jsonl",
        accepted=319,
        quarantined={"null": 1},
        unscored={"null": 1},
        scored=319,
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_table_of_this_kind_goes_the_whole_way(name, tmp_path):
    kind = KINDS[name]
    walked = walk(written(kind, tmp_path), kind.target, tmp_path)
    assert walked.draft["task"] == kind.task
    assert {column: walked.role(column) for column in kind.roles} == kind.roles
    assert {column: walked.contract.by_name[column].type for column in kind.types} == kind.types
    assert (walked.written.accepted, walked.written.reasons) == (kind.accepted, Counter(kind.quarantined))
    assert [words for words in kind.notes if words not in walked.notes] == []
    assert walked.judged["verdict"] == "approved", walked.judged["reason"]
    assert walked.quality >= kind.quality
    assert walked.unscored == Counter(kind.unscored)
    assert len(walked.predictions) == kind.scored


def written(kind: Kind, folder: Path) -> Path:
    file = folder / kind.file
    if callable(kind.content):
        kind.content(file)
    else:
        file.write_bytes(kind.content if isinstance(kind.content, bytes) else kind.content.encode())
    return file


def test_every_decimal_is_the_float_of_its_digits_in_the_lake(tmp_path):
    walked = walk(written(KINDS["decimals of two digits"], tmp_path), "paid", tmp_path)
    (part,) = walked.written.files.values()
    assert pq.read_table(part)["price"].to_pylist() == [one.price for one in orders()]


def test_a_row_of_numbers_is_the_same_entity_in_every_kind_of_file(tmp_path):
    found = []
    for name in ("decimals of two digits", "plain"):
        (tmp_path / name).mkdir()
        csv = Kind(lines("price,items,paid", lambda one: f"{one.price},{one.items},{one.yes}"))
        file = written(KINDS.get(name, csv), tmp_path / name)
        found.append([row["entity_id"] for row in walk(file, "paid", tmp_path / name).predictions])
    assert found[0] == found[1]


WHOLE = lines(HEAD, plain)
INFINITE = lines("shop,paid", but(lambda one: f"{one.shop},{one.price}", 6, lambda one: f"{one.shop},inf"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (INFINITE, "'inf' in row 7: must be a finite number"),
        (gzip.compress(WHOLE.encode()), "is gzip, though its name does not end in .gz"),
        (WHOLE.encode("utf-16"), "is UTF-16 text"),
        (WHOLE + "Source: the shops\n", "every row needs as many fields as the header"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_true_cause(tmp_path, content, said):
    with pytest.raises(Refused) as refused:
        walk(written(Kind(content), tmp_path), "paid", tmp_path)
    assert said in str(refused.value)


def test_a_well_calibrated_model_of_few_rows_is_approved_though_its_error_is_above_the_limit(tmp_path):
    """At 70 rows to judge on, even a perfect model's calibration error is above the usual limit of 0.05."""
    walked = walk(written(Kind(lines(HEAD, plain, count=240)), tmp_path), "paid", tmp_path)
    assert walked.judged["verdict"] == "approved", walked.judged["reason"]
    assert walked.judged["metrics"]["calibration_error"] > 0.05
    assert "above the 0.05 that was agreed but within chance" in walked.judged["reason"]


def test_rows_that_are_loaded_lie_within_the_window_up_to_now(tmp_path):
    """A row that is still to come neither moves the window nor is learnt from."""
    walked = walk(written(KINDS["one row of 2099"], tmp_path), "paid", tmp_path)
    assert walked.judged["release"].startswith("r-20241115-")
