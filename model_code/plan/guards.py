"""Refusals of transformers about rows whose feature no model takes: extra features that are zero for every
other row.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from model_code.plan.format import Linear, Link, Model, Steps
from model_code.plan.signals import CHECKS, Part, Signal, Taken

# Zero whatever the number, and a float32, so that trees which take nothing else are still walked in half the memory.
_ZERO = (("replace", np.nan, 0.0), ("multiply", 0.0, 0.0), ("float32", 0.0, 0.0))


def guarded(taken: Taken, model: Model, links: tuple[Link, ...], guards: Iterable[Signal]) -> Part:
    """Give a member of the plan one more feature for every guard that its features do not hold already."""
    added: Taken = []
    for guard in guards:
        if not any(_holds(signal, last, guard) for signal, last in (*taken, *added)):
            added.append(
                (
                    replace(guard, table=None if guard.is_number else np.zeros(len(guard.table))),
                    _ZERO if guard.is_number else (),
                )
            )
    if added and isinstance(model, Linear):
        model = Linear(np.hstack([model.coef, np.zeros((len(model.coef), len(added)))]), model.intercept)
    return [*taken, *added], model, links


def _holds(signal: Signal, last: Steps, guard: Signal) -> bool:
    """Whether a row that the guard refuses is refused by a feature that is made anyway."""
    if signal.column != guard.column:
        return False
    if not guard.is_number:
        return signal.keys == guard.keys and not signal.is_number and guard.refused <= signal.refused
    if signal.keys is not None:
        # a number that is used as a category is refused where it is not finite
        return all(step[0] in ("finite", "replace") for step in guard.steps)
    checked = _up_to_the_last_check(guard.steps)
    return [repr(step) for step in (*signal.steps, *last)][: len(checked)] == checked


def _up_to_the_last_check(steps: Steps) -> list[str]:
    """Return the steps up to the last check, behind which none refuses, as texts: so a NaN equals a NaN."""
    last = max(place for place, step in enumerate(steps) if step[0] in CHECKS)
    return [repr(step) for step in steps[: last + 1]]
