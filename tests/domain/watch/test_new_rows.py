"""Which rows a training would learn from, and which of them are new to it."""

import json
from datetime import UTC, datetime

from domain.watch.new_rows import count_rows

NOW = datetime(2013, 4, 11, tzinfo=UTC)
TRAINED = {"run": "train-1", "started_at": "2013-04-01T12:00:00Z", "as_of": "2013-04-01T00:00:00Z"}


def load(rows: int, first: str | None, last: str | None, *, loaded_at: str) -> dict:
    return {"parts": json.dumps([{"key": "k", "rows": rows, "first": first, "last": last}]), "loaded_at": loaded_at}


def counted(*loads: dict, newest: dict | None = TRAINED) -> tuple[int, int]:
    return count_rows(loads, newest, now=NOW, window_days=90)


def test_rows_that_were_there_before_the_training_are_new_where_they_are_about_a_later_time():
    march = load(300, "2013-03-01T00:00:00Z", "2013-03-31T00:00:00Z", loaded_at="2013-03-31T12:00:00Z")
    april = load(290, "2013-04-01T00:00:00Z", "2013-04-30T00:00:00Z", loaded_at="2013-03-31T12:00:00Z")
    assert counted(march, april) == (100, 400), "ten of the 29 days have passed"


def test_rows_that_were_loaded_later_are_new_whatever_time_they_are_about():
    late = load(40, "2013-03-01T00:00:00Z", "2013-03-02T00:00:00Z", loaded_at="2013-04-02T00:00:00Z")
    assert counted(late) == (40, 40)


def test_rows_without_a_time_are_new_if_they_were_loaded_later():
    old = load(500, None, None, loaded_at="2013-03-31T12:00:00Z")
    assert counted(old) == (0, 500)
    assert counted(old, load(50, None, None, loaded_at="2013-04-02T00:00:00Z")) == (50, 550)


def test_rows_before_the_window_or_after_now_do_not_count():
    old = load(40, "2012-03-01T00:00:00Z", "2012-03-02T00:00:00Z", loaded_at="2013-04-02T00:00:00Z")
    coming = load(40, "2013-05-01T00:00:00Z", "2013-05-02T00:00:00Z", loaded_at="2013-04-02T00:00:00Z")
    assert counted(old, coming) == (0, 0)


def test_without_a_training_every_row_is_new():
    assert counted(load(500, None, None, loaded_at="2013-03-31T12:00:00Z"), newest=None) == (500, 500)
