"""Progress of a command on standard error: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

from fairway.terminal.plain import plain

# lazy: only a terminal needs rich

PLAIN_EVERY_S = 5.0  # seconds at first; less and less often in a long step
PLAIN_RAREST_S = 60.0


class Progress:
    """`progress("Uploading")` begins a step; `progress.detail("3 of 7")` says how far it is.

    On a terminal a step spins until the next one begins, and then stays with its duration.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.step, self.began, self.printed, self.pause = "", 0.0, 0.0, PLAIN_EVERY_S
        self.live: Any = None  # rich's, which is imported on a terminal only
        self.spinner: Any = None
        self.console: Any = None

    def __enter__(self) -> Self:
        if self.stream.isatty():
            from rich.console import Console

            self.console = Console(file=self.stream, highlight=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end("[red]✗[/]" if kind else "[green]✓[/]")

    def __call__(self, step: str) -> None:
        self.end("[green]✓[/]")
        self.step, self.began, self.printed, self.pause = step, time.monotonic(), time.monotonic(), PLAIN_EVERY_S
        if self.console is None:
            print(plain(step), file=self.stream, flush=True)
        else:
            self._spin(_escaped(step))

    def _spin(self, markup: str) -> None:
        """Draw the spinner; rich's own status would replace sys.stdout by something that is not a terminal."""
        from rich.live import Live
        from rich.spinner import Spinner

        self.spinner = Spinner("dots", text=markup, style="green")
        self.live = Live(self.spinner, console=self.console, transient=True, redirect_stdout=False)
        self.live.start()

    def detail(self, text: str) -> None:
        if self.live:
            self.spinner.update(text=f"{_escaped(self.step)} [dim]{_escaped(text)}[/]")
        elif time.monotonic() - self.printed >= self.pause:
            self.printed, self.pause = time.monotonic(), min(2 * self.pause, PLAIN_RAREST_S)
            print(plain(f"  {text}"), file=self.stream, flush=True)

    def end(self, mark: str) -> None:
        if self.live:
            self.live.stop()
            self.console.print(f"{mark} {_escaped(self.step)} [dim]{time.monotonic() - self.began:.1f} s[/]")
        self.live, self.step = None, ""


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(plain(text))
