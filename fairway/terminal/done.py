"""How a command ends: values for a program, lines for a person, and what to do next."""

import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any

from fairway.terminal.plain import plain


@dataclass(frozen=True)
class Done:
    """`values` is printed as JSON in a pipe, `lines` on a terminal; `next` is one line on what to do now.

    `alarms` lead the lines, in red: what somebody has to know before all else. With `exit_code` 1 no
    script goes on.
    """

    values: dict[str, Any] | list[Any]
    lines: list[str]
    next: str
    alarms: list[str] = field(default_factory=list)
    exit_code: int = 0


def show(done: Done, *, as_json: bool, following: str) -> None:
    """Print the answer on standard output: JSON where that was asked for or another program reads it.

    What to do next is printed on standard error, so that a pipe carries only the answer.
    """
    machine = as_json or not on_terminal()
    try:
        print(plain(json.dumps(done.values, ensure_ascii=False)) if machine else _text(done))
        sys.stdout.flush()
    except BrokenPipeError:  # its reader has had enough: `fairway releases | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(plain(f"next: {following}"), file=sys.stderr)


def _text(done: Done) -> str:
    """Colour the alarms, unless the user wants no colour (https://no-color.org)."""
    red = ("", "") if os.environ.get("NO_COLOR") else ("\x1b[31m", "\x1b[0m")
    return "\n".join([*(plain(alarm).join(red) for alarm in done.alarms), *map(plain, done.lines)])


def on_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()
