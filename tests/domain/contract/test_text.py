"""Texts that stand for values: cells of CSV, markers of what is missing, numbers in a notation."""

import pytest

from domain.contract.schema import Column
from domain.contract.text import from_text
from domain.contract.values import Problem, check_value

DOLLARS = Column("pay", "float", unit="$", thousands=",")
GERMAN = Column("preis", "float", thousands=".", decimal=",", unit="EUR")
SHARE = Column("share", "float", unit="%")
COUNT = Column("count", "integer", thousands=",", minimum=0)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        (DOLLARS, "$65,460.00", 65460.0),
        (DOLLARS, "-$5", -5.0),
        (DOLLARS, "$-5", -5.0),
        (DOLLARS, "($1,234.50)", -1234.5),
        (DOLLARS, "1234.5", 1234.5),
        (DOLLARS, "$ 12,34,567", 1234567.0),
        (DOLLARS, "$.5e3", 500.0),
        (GERMAN, "1.234,5 EUR", 1234.5),
        (GERMAN, "1.234", 1234.0),
        (GERMAN, "0,1", 0.1),
        (SHARE, "12.5 %", 12.5),
        (SHARE, "12.5", 12.5),
        (COUNT, "12,345", 12345),
        (COUNT, "+7.0", 7),
        (Column("n", "float", thousands=" "), "1\u202f234\u00a0567.5", 1234567.5),
    ],
)
def test_a_number_is_read_in_the_notation_of_its_column(column, text, value):
    for found in (check_value(column, from_text(column, f"  {text}\t")), check_value(column, text)):
        assert found == (value, [])
        assert type(found[0]) is type(value)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (DOLLARS, "$"),
        (DOLLARS, "$1,23"),
        (DOLLARS, "€5"),
        (DOLLARS, "(-$5)"),
        (DOLLARS, "($5"),
        (DOLLARS, "-$-5"),
        (DOLLARS, "$\u0661"),
        (GERMAN, "1.5"),
        (COUNT, "1.5"),
        (Column("plain", "float"), "1,234"),
    ],
)
def test_a_number_in_another_notation_is_refused_as_it_was_written(column, text):
    assert check_value(column, from_text(column, text))[1] == [
        Problem(column.name, text, "type", check_value(column, "x")[1][0].allowed)
    ]


@pytest.mark.parametrize("kind", ["string", "integer", "float", "boolean", "timestamp"])
def test_a_marker_is_null_in_a_file_and_in_a_request(kind):
    column = Column("x", kind, nullable=True, missing=("NA", "\\N"))
    for marker in ("NA", "\\N"):
        assert check_value(column, from_text(column, f" {marker} ")) == (None, [])
        assert check_value(column, marker) == (None, [])
    must = Column("x", kind, missing=("NA",))
    assert check_value(must, "NA") == (None, [Problem("x", None, "null", "must have a value")])


def test_a_class_called_na_stays_one_where_no_marker_says_otherwise():
    assert check_value(Column("country", "string"), from_text(Column("country", "string"), "NA")) == ("NA", [])


def test_spaces_around_a_cell_mean_nothing():
    for kind, text, value in (("integer", " 5", 5), ("string", "\u00a0no\t", "no"), ("boolean", "yes ", True)):
        assert from_text(Column("x", kind), text) == value
    assert from_text(Column("x", "string"), "  \t") is None
