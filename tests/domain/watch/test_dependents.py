"""What a name of the contract stands for: a column before a source, a source before an owner."""

import pytest

from domain.contract.schema import Column, Contract
from domain.watch.dependents import USES, Unknown, columns_named

COLUMNS = (
    Column("size", "float", source="scale", owner="warehouse"),
    Column("scale", "string", source="label", owner="warehouse"),
    Column("colour", "string", source="scale", owner="design"),
    Column("back", "boolean", role="target", source="returns desk", owner="design"),
)
CONTRACT = Contract("parcels", "binary", COLUMNS, prior=0.5)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("size", ["size"]),
        ("scale", ["scale"]),  # a column of that name before the source
        ("returns desk", ["back"]),
        ("label", ["scale"]),
        ("warehouse", ["size", "scale"]),
        ("design", ["colour", "back"]),
    ],
)
def test_a_name_is_a_column_a_source_or_an_owner(name, columns):
    assert [column.name for column in columns_named(CONTRACT, name)] == columns


def test_an_unknown_name_is_answered_with_what_there_is():
    with pytest.raises(Unknown) as refused:
        columns_named(CONTRACT, "sizes")
    assert str(refused.value) == (
        "'sizes': must be a column, source or owner of the contract: size, scale, colour, back, design, label, "
        "returns desk, scale, warehouse; did you mean 'size'?"
    )


def test_every_role_has_something_that_depends_on_it():
    assert set(USES) == {"feature", "key", "event_time", "target", "ignored"}
