"""Progress: a live line on a terminal, and where there is none plain lines, ever fewer of them."""

import io
import sys

from fairway.terminal import progress as module
from fairway.terminal.progress import Progress


def test_a_long_step_is_told_ever_more_rarely_and_the_next_one_anew(monkeypatch):
    now, said = [0.0], io.StringIO()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Progress(said) as progress:
        progress("Training")
        for now[0] in range(1, 301):
            progress.detail(f"for {now[0]} s")
        progress("Judging")
        for now[0] in range(301, 307):
            progress.detail(f"for {now[0] - 300} s")
    seconds = [5, 15, 35, 75, 135, 195, 255]  # after 5, 10, 20, 40 and then always 60 seconds
    assert said.getvalue().splitlines() == [
        "Training",
        *[f"  for {each} s" for each in seconds],
        "Judging",
        "  for 5 s",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_live_line_leaves_standard_output_the_terminal_that_tables_are_fitted_to():
    before, shown = sys.stdout, Terminal()
    with Progress(shown) as progress:
        progress("Looking")
        progress.detail("at 3 of [7]")
        assert sys.stdout is before
    assert "at 3 of [7]" in shown.getvalue()
