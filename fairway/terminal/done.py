"""Result of a command: values for a program, lines for a person, and the next step."""

import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any

from fairway.terminal.plain import plain


@dataclass(frozen=True)
class Done:
    """Result; `values` is printed as JSON in a pipe, `lines` on a terminal; `next` is one line about the next step.

    `alarms` come before the lines, in red. With `exit_code` 1 scripts stop.
    """

    values: dict[str, Any] | list[Any]
    lines: list[str]
    next: str
    alarms: list[str] = field(default_factory=list)
    exit_code: int = 0


def show(done: Done, *, as_json: bool, following: str) -> None:
    """Print the result on standard output, as JSON on request or for another program.

    The next step is printed on standard error, so that a pipe has only the result.
    """
    machine = as_json or not on_terminal()
    try:
        print(plain(json.dumps(done.values, ensure_ascii=False)) if machine else _text(done))
        sys.stdout.flush()
    except BrokenPipeError:  # its reader has stopped: `fairway releases | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(plain(f"next: {following}"), file=sys.stderr)


def _text(done: Done) -> str:
    """Colour the alarms, unless the user wants no colour (https://no-color.org)."""
    red = ("", "") if os.environ.get("NO_COLOR") else ("\x1b[31m", "\x1b[0m")
    return "\n".join([*(plain(alarm).join(red) for alarm in done.alarms), *map(plain, done.lines)])


def on_terminal() -> bool:
    """Return whether a person reads standard output."""
    return sys.stdout.isatty()
