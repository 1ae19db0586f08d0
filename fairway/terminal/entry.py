"""One call of the command line, from its arguments to its exit code: the only place where errors become lines
or JSON.
"""

import json
import sys
import traceback
from collections.abc import Sequence

import typer

from fairway.terminal.errors import EXIT_CODES, Failed, FairwayError, Interrupted, Refused, explained
from fairway.terminal.plain import plain
from fairway.terminal.signals import interruptible


def exit_code_of(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Return the exit code: 0 done, 1 failed, 2 called incorrectly, 130 interrupted."""
    try:
        with interruptible():
            code = app(list(arguments) or ["--help"], prog_name="fairway", standalone_mode=False)
        if code != EXIT_CODES[Interrupted]:
            return code or 0
        failure: FairwayError = Interrupted()
    except typer.TyperException as error:
        failure = _usage(error)
    except Exception as error:  # noqa: BLE001 - the outermost edge: one line for the user, whatever it was
        failure = explained(error) or _unforeseen(error)
    _report(failure, as_json="--json" in arguments)
    return next(code for kind, code in EXIT_CODES.items() if isinstance(failure, kind))


def _usage(error: typer.TyperException) -> Refused:
    context = getattr(error, "ctx", None)
    command = f" {context.info_name}" if context and context.parent else ""
    return Refused("usage", f"{error.format_message().rstrip('.')}; `fairway{command} --help` shows what is allowed")


def _unforeseen(error: Exception) -> Failed:
    """Report a bug of ours; the traceback goes to standard error."""
    traceback.print_exception(error)
    return Failed("internal", f"{type(error).__name__}: {error}; this is a bug in fairway, please report it")


def _report(failure: FairwayError, *, as_json: bool) -> None:
    if as_json:
        print(plain(json.dumps({"error": failure.error, "message": failure.message}, ensure_ascii=False)))
    else:
        print(plain(f"error: {failure.message}"), file=sys.stderr)
