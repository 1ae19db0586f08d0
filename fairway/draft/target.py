"""The target: the task, and the contract's [target], from the values of one column."""

import json
import math
from collections.abc import Callable
from typing import Any

from fairway.draft.column import of_notation, written
from fairway.draft.markers import WORDS, YES
from fairway.draft.survey import Facts, Survey, boolean_words, number_notation
from fairway.terminal.errors import Refused

CLASSES = 100


def target_of(table: Survey, facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    """Return the task, the contract's [target] without its column, and the target's column."""
    name, whole = facts.name, _whole_numbers(facts)
    if facts.nested:
        raise Refused("target", f"target {name!r} has lists or objects; name another column")
    if facts.rows == 0 or (facts.levels is not None and len(whole or facts.levels) == 1):
        always = repr(facts.example) if facts.rows else "empty"
        raise Refused("target", f"target {name!r} is always {always}: must have at least two values")
    if table.nulls(facts):
        notes.append(f"{name!r}, the target, is empty in {table.nulls(facts):,} rows; `fairway load` quarantines those")
    kept = [marker for marker in facts.marked if marker in WORDS and marker not in facts.missing]
    if kept:
        notes.append(
            f"{name!r} has {', '.join(map(repr, kept))} as a value of its own; if it means null, add "
            f"missing = {json.dumps(kept)} to its column in the contract and correct [target]"
        )
    task, target, column = _task_of(facts, whole, notes)
    return task, target, {**column, **written(facts, notes)}


def _task_of(facts: Facts, whole: set[int], notes: list[str]) -> tuple[str, dict, dict]:
    """Return the task for a target with several values."""
    if facts.holds("boolean") and boolean_words(facts):
        return binary(facts, "boolean", True, lambda value: str(value).lower() == "true", notes)
    if len(whole) == 2:
        return binary(facts, "integer", max(whole), lambda value: int(float(value)) == max(whole), notes)
    notation = number_notation(facts)
    if notation:
        notes.append(f"{facts.name!r} holds numbers: a regression")
        prior = float(f"{facts.means[notation]:.6g}")
        return "regression", {"prior": prior}, {"type": "float", **of_notation(facts, notation, notes)}
    return regression(facts, notes) if facts.holds("float") else _classes(facts, notes)


def _whole_numbers(facts: Facts) -> set[int]:
    """Return the distinct values of a column of few whole numbers; 1 and 1.0 are equal."""
    return {int(float(value)) for value in facts.levels} if facts.levels and facts.holds("integer") else set()


def binary(
    facts: Facts, kind: str, positive: object, is_yes: Callable[[Any], bool], notes: list[str]
) -> tuple[str, dict, dict]:
    levels = facts.levels
    assert levels is not None, "there are two"
    share = sum(count for value, count in levels.items() if is_yes(value)) / facts.rows
    notes.append(
        f"{facts.name!r} has two values: a binary task, {positive!r} counts as a yes ({share:.1%} of the rows)"
    )
    column = {"type": kind, **({"categories": sorted(levels)} if kind == "string" else {})}
    return "binary", {"positive": positive, "prior": round(share, 4)}, column


def regression(facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    kind = "integer" if facts.holds("integer") and not facts.fractions else "float"
    notes.append(
        f"{facts.name!r} holds numbers: a regression; "
        'for classes set project.task = "multiclass" and their shares as target.prior'
    )
    return "regression", {"prior": float(f"{facts.mean:.6g}") if math.isfinite(facts.mean) else 0.0}, {"type": kind}


def _classes(facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    levels = facts.levels
    if not facts.holds("string") or facts.holds("timestamp") or levels is None or len(levels) > CLASSES:
        if facts.odd and facts.fits["float"] * 2 > facts.rows:
            value, row = facts.odd
            message = f"target {facts.name!r} holds numbers, but {value!r} in row {row:,}: must be a finite number"
            raise Refused("target", f"{message}; correct it, or leave the cell empty")
        message = f"target {facts.name!r} holds values such as {facts.example!r}"
        allowed = f"neither numbers nor true/false nor at most {CLASSES} classes"
        raise Refused("target", f"{message}: {allowed}; name another column")
    if len(levels) == 2:
        rarer = min(levels, key=lambda value: (levels[value], value))
        positive = next((value for value in sorted(levels) if value.strip().lower() in YES), rarer)
        return binary(facts, "string", positive, lambda value: value == positive, notes)
    notes.append(f"{facts.name!r} holds {len(levels)} different texts: a multiclass task")
    prior = {value: round(levels[value] / facts.rows, 6) for value in sorted(levels)}
    return "multiclass", {"prior": prior}, {"type": "string", "categories": sorted(levels)}
