"""Small tables that are no flights: odd column names, with and without a key and an event time, one for each task; and
one whose names and categories hold everything that a CSV has to quote.
"""

import random
from datetime import UTC, datetime, timedelta

from domain.contract.schema import Column, Contract


def returns_project():
    """binary, no key, no event time, a text target, names that no code would choose"""
    contract = Contract(
        "returns",
        "binary",
        (
            Column("größe (cm)", "float", nullable=True, minimum=0),
            Column("class", "string"),
            Column("1st.order", "boolean", nullable=True),
            Column("shelf", "integer", categories=(1, 2, 30)),
            Column("paid at", "timestamp", nullable=True),
            Column("always empty", "float", nullable=True),
            Column("note", "string", role="ignored", nullable=True),
            Column("came back?", "string", role="target", categories=("yes", "no")),
        ),
        prior=0.4,
        positive="yes",
    )
    return contract, [returns_row(number) for number in range(1500)]


def returns_row(number):
    random.seed(number)
    size, shelf = random.gauss(170, 10), random.choice([1, 2, 30])
    odds = (size - 170) / 10 + (1.5 if shelf == 30 else 0) + random.gauss(0, 0.7)
    return {
        "größe (cm)": None if number % 17 == 0 else round(size, 3),
        "class": f"Sorte {random.randrange(40)} ß",
        "1st.order": random.choice([True, False, None]),
        "shelf": shelf,
        "paid at": f"2024-01-{number % 28 + 1:02d}T10:00:00Z" if number % 5 else None,
        "note": "x" if number % 2 else None,
        "came back?": "yes" if odds > 0.5 else "no",
    }


def parcels_project():
    """multiclass with integer classes, key and event time"""
    contract = Contract(
        "parcels",
        "multiclass",
        (
            Column("parcel", "integer", role="key"),
            Column("sent", "timestamp", role="event_time"),
            Column("weight", "float", minimum=0),
            Column("from", "string", categories=("A", "B", "C")),
            Column("zone", "integer", role="target", minimum=1, maximum=3),
        ),
        prior={"1": 0.5, "2": 0.3, "3": 0.2},
    )
    return contract, [parcels_row(number) for number in range(1200)]


def parcels_row(number):
    random.seed(number)
    origin, weight = random.choice("ABC"), random.uniform(0, 10)
    zone = 1 + (weight > 6) + (origin == "C" and weight > 3)
    return {"parcel": number, "sent": moment(number, 1200), "weight": round(weight, 4), "from": origin, "zone": zone}


def rents_project():
    """regression with two key columns"""
    contract = Contract(
        "rents",
        "regression",
        (
            Column("house", "string", role="key"),
            Column("flat", "integer", role="key"),
            Column("asked", "timestamp", role="event_time"),
            Column("m²", "float", minimum=10),
            Column("lift", "boolean"),
            Column("floor", "integer", nullable=True, minimum=-2, maximum=10**12),
            Column("rent", "float", role="target"),
        ),
        prior=700.0,
    )
    return contract, [rents_row(number) for number in range(900)]


def rents_row(number):
    random.seed(number)
    size, lift = round(random.uniform(20, 150), 1), random.random() < 0.5
    rent = 9.5 * size + 120 * lift + random.gauss(0, 40)
    return {
        "house": f"h|{number % 7}",
        "flat": number,
        "asked": moment(number, 900),
        "m²": size,
        "lift": lift,
        "floor": number % 6 - 1,
        "rent": rent,
    }


QUOTED = ("a,b", 'say "x"', "", "é", "two\r\nlines", "a", "7")


def quotes_project():
    contract = Contract(
        "quotes",
        "binary",
        (
            Column("the, key", "string", role="key"),
            Column("size", "float", nullable=True, minimum=-5, maximum=10**30),
            Column('say "x"', "string", nullable=True, categories=QUOTED),
            Column("a,b", "integer", nullable=True, minimum=-2),
            Column("two\nlines", "boolean", nullable=True),
            Column("ü", "string", nullable=True),
            Column("late", "boolean", role="target"),
        ),
        prior=0.5,
    )
    return contract, [quotes_row(number) for number in range(300)]


def quotes_row(number):
    random.seed(number)
    size, text = round(random.uniform(-5, 5), 2), random.choice(QUOTED)
    return {
        "the, key": f"k{number}",
        "size": size if number % 11 else None,
        'say "x"': text,
        "a,b": random.randrange(-2, 9),
        "two\nlines": random.choice([True, False, None]),
        "ü": random.choice(["x", "ß", "a,b", None]),
        "late": size + QUOTED.index(text) + random.gauss(0, 1) > 3,
    }


def moment(number, count):
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return (start + timedelta(days=60) * number / count).isoformat(timespec="seconds").replace("+00:00", "Z")


PROJECTS = {"binary": returns_project, "multiclass": parcels_project, "regression": rents_project}
