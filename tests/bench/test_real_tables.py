"""A sample of the tables that R's packages bring: `init` takes each, and types it as pandas does or says otherwise."""

from bench.real_tables import compare, tables

EVERY = 60


def test_real_tables_are_drafted_and_each_column_is_typed_as_pandas_does_or_mentioned():
    found = {name: compare(name, content) for name, content in tables(EVERY)}
    assert len(found) > 10
    assert {name: why for name, why in found.items() if isinstance(why, str)} == {}
    columns = [one for several in found.values() for one in several]
    assert [one for one in columns if not one.is_alike and not one.notes] == []
