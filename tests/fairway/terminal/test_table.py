"""Tables on a terminal: aligned, and never wider than it is."""

from fairway.terminal.table import table


def test_columns_are_as_wide_as_their_widest_cell():
    assert table([("r-1", 3), ("r-10", 12)], ("release", "rows")) == ["release  rows", "r-1      3", "r-10     12"]


def test_a_cell_that_is_too_long_goes_on_in_the_next_line_and_nothing_is_lost():
    lines = table([("r-1", "keeps every benchmark of the contract", "-")], ("release", "why", "role"), width=34)
    assert lines == [
        "release  why                  role",
        "r-1      keeps every          -",
        "         benchmark of the",
        "         contract",
    ]


def test_a_terminal_too_narrow_for_any_table_gets_columns_of_eight():
    assert table([("a" * 20, "b")], ("x", "y"), width=5) == ["x         y", "aaaaaaaa  b", "aaaaaaaa", "aaaa"]


def test_a_cell_is_one_line_and_obeys_nothing():
    assert table([("a\nb\x1b[31m", "")], ("x", "y")) == ["x              y", r"a b\u001b[31m"]


def test_a_table_fits_the_terminal_it_is_printed_on(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, table([("r-1", "words " * 20)], ("release", "why")))) <= 40
