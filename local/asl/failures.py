"""Check Retry and Catch: errors, attempts, pauses, and the next state."""

from collections.abc import Iterator
from typing import Any

from local.asl.fields import JSONATA
from local.asl.values import (
    LONGEST_S,
    Problem,
    assign_problems,
    expression_problems,
    number_problems,
    path_problems,
    schema,
)

_RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
}
_CATCHER = {"ErrorEquals", "Next", "Assign", "Comment"}
LONGEST_DELAY_S = 31_622_400  # seconds of a leap year


def retry_problems(retriers: Any, language: str, where: str) -> Iterator[Problem]:
    yield from _error_problems(retriers, where)
    for index, retrier in _dicts(retriers):
        here = f"{where}[{index}]"
        for name in sorted(retrier.keys() - _RETRIER):
            yield schema(f"Field '{name}' is not supported", here)
        for name, least, most in (
            ("IntervalSeconds", 1, LONGEST_S),
            ("MaxAttempts", 0, LONGEST_S),
            ("MaxDelaySeconds", 1, LONGEST_DELAY_S),
        ):
            if name in retrier:
                yield from number_problems(retrier[name], least, most, "", f"{here}/{name}")
        rate = retrier.get("BackoffRate", 1)
        if not isinstance(rate, int | float) or isinstance(rate, bool) or rate < 1:
            yield schema("Expected a number of at least 1", f"{here}/BackoffRate")
        if retrier.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
            yield schema("Expected FULL or NONE", f"{here}/JitterStrategy")


def catch_problems(catchers: Any, language: str, taken: frozenset[str], where: str) -> Iterator[Problem]:
    yield from _error_problems(catchers, where)
    own = {"Output"} if language == JSONATA else {"ResultPath"}
    for index, catcher in _dicts(catchers):
        here = f"{where}[{index}]"
        for name in sorted(catcher.keys() - _CATCHER - own):
            yield schema(f"Field '{name}' is not supported", here)
        if not isinstance(catcher.get("Next"), str):
            yield schema("These fields are required: [Next]", here)
        if "Assign" in catcher:
            yield from assign_problems(catcher["Assign"], language, taken, f"{here}/Assign")
        if language == JSONATA:
            yield from expression_problems(catcher.get("Output"), f"{here}/Output")
        else:
            yield from path_problems(catcher.get("ResultPath"), f"{here}/ResultPath", reference=True)


def _error_problems(handlers: Any, where: str) -> Iterator[Problem]:
    """Yield the problems of ErrorEquals, which is the same in both. States.ALL stands alone and last."""
    if not isinstance(handlers, list):
        yield schema("Expected an array", where)
        return
    for index, handler in enumerate(handlers):
        errors = handler.get("ErrorEquals") if isinstance(handler, dict) else None
        here = f"{where}[{index}]/ErrorEquals"
        if not isinstance(errors, list) or not errors or not all(isinstance(error, str) for error in errors):
            yield schema("These fields are required: [ErrorEquals], a list of error names", f"{where}[{index}]")
        elif "States.ALL" in errors and len(errors) > 1:
            yield schema("States.ALL must appear alone", here)
        elif "States.ALL" in errors and index < len(handlers) - 1:
            yield schema("States.ALL must appear in the last element", here)


def _dicts(handlers: Any) -> list[tuple[int, dict[str, Any]]]:
    each = enumerate(handlers) if isinstance(handlers, list) else ()
    return [(index, handler) for index, handler in each if isinstance(handler, dict)]
