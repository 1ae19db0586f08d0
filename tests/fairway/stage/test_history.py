"""The history of a stage: every row that counts, named by what decides which rows they are."""

import pyarrow.parquet as pq
import pytest

from fairway.stage.history import of_lake
from fairway.stage.settings import connected
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from tests.fairway.commands.test_load import table


def history(place):
    return of_lake(connected(place.folder, "local", Progress()), "newest")


def test_the_rows_of_every_load_are_fetched_in_the_order_of_loading(place, tmp_path):
    with pytest.raises(Refused, match="no rows are loaded yet"):
        history(place)
    days = ["2013-01-05", "2013-03-01"], ["2013-02-01"]
    files = [
        table(tmp_path / f"{number}.csv", *({"departure": f"{day}T10:00:00Z"} for day in each))
        for number, each in enumerate(days)
    ]
    first = place.values("load", files[0])["files"][0]["load"]
    one = history(place)
    assert (one.loads, history(place).name) == ([first], one.name)
    second = place.values("load", files[1])["files"][0]["load"]
    both = history(place)
    assert both.loads == [first, second] and both.name != one.name
    both.fetch(tmp_path / "parts", Progress())
    found = {file.stem.rpartition("-")[0]: 0 for file in (tmp_path / "parts").rglob("*.parquet")}
    for file in (tmp_path / "parts").rglob("*.parquet"):
        found[file.stem.rpartition("-")[0]] += pq.read_metadata(file).num_rows
    assert found == {first: 2, second: 1}
