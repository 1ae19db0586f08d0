"""What files, tables and templates hold is shown on a terminal and never obeyed by it."""

import json

import pytest

from fairway.cli import main
from fairway.terminal.done import Done, show
from fairway.terminal.plain import plain


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mred", "\\u001b[2J\\u001b[31mred"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("\x9b31m", "\\u009b31m"),
        ("all is well\rerror", "all is well\\u000derror"),
        ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
        ("one\ttwo\nthree, né à Åre ✓ 東京", "one\ttwo\nthree, né à Åre ✓ 東京"),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out_and_all_else_stays(hostile, shown):
    assert plain(hostile) == shown


def test_a_file_name_with_escape_sequences_is_spelt_out_in_an_error(capsys, tmp_path):
    assert main(["check", "--project", str(tmp_path / "\x1b[31mred\x9b")]) == 2
    told = capsys.readouterr().err
    assert "\\u001b[31mred\\u009b" in told and "\x1b" not in told and "\x9b" not in told


def test_json_stays_json_and_its_values_stay_what_they_are(capsys):
    values = {"file": "\x1b[31m\x9b\x7f\u202e né"}
    show(Done(values, [], ""), as_json=True, following="")
    out = capsys.readouterr().out
    assert json.loads(out) == values and not {"\x1b", "\x9b", "\x7f", "\u202e"} & set(out)
