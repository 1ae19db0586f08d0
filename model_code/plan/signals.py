"""Follows each column through the fitted transformers: what every feature of the model is, as a function of one column.

All transformers that a plan takes work column by column. So a number becomes a chain of exact steps; and a category or
a boolean, which has few values, becomes a table: the fitted transformer itself is asked once for every level, for a
missing and for an unknown value. Infrequent categories, unknown values and the like are therefore scikit-learn's own
answers and are not written down twice.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from model_code.plan.format import Link, Model, Step, Steps
from model_code.refusals import PlanRefused
from model_code.rows.features import ModelColumn

_MOST_CATEGORIES = 4096  # a table is categories x features wide while it is compiled
CHECKS = ("finite", "present")
UNKNOWN = "\x00 a category that no encoder knows"


@dataclass(frozen=True)
class Signal:
    """One feature: of a number column `steps`; else `table`, its value for each code, with the codes that are
    `refused`.
    """

    column: int
    steps: Steps = ()
    table: Any = None  # a tuple or an array
    keys: tuple[float, ...] | None = None
    refused: frozenset[int] = frozenset()
    sparse: bool = False  # whether it reaches the model in a sparse matrix

    @property
    def is_number(self) -> bool:
        return self.table is None

    @property
    def refuses(self) -> bool:
        # a number that is used as a category must be finite
        return bool(self.refused) or self.keys is not None or any(step[0] in CHECKS for step in self.steps)


Taken = list[tuple[Signal, Steps]]  # the signals as a model takes them, each with its last steps
Part = tuple[Taken, Model, tuple[Link, ...]]


class Levels(dict[int, dict[str, None]]):
    """Column -> the texts that its encoders know, learned on the walk; and `guards`, signals whose refusals must not be
    lost.

    What a transformer refuses is refused though its feature be dropped later, or reach a model that reads none.
    """

    def __init__(self, columns: list[ModelColumn]) -> None:
        super().__init__((index, {}) for index, column in enumerate(columns) if column["kind"] == "category")
        self.guards: list[Signal] = []

    def guard(self, signals: Iterable[Signal]) -> None:
        self.guards += [signal for signal in signals if signal.refuses]


def sources(columns: list[ModelColumn], levels: Levels, missing: float | None) -> list[Signal]:
    """Return the columns as they reach the pipeline.

    `levels` maps a category column's index to the values its encoders know.
    """
    return [_source(index, column["kind"], levels.get(index, ()), missing) for index, column in enumerate(columns)]


def _source(index: int, kind: str, levels: Iterable[str], missing: float | None) -> Signal:
    if kind == "number":
        return Signal(index)
    if kind == "boolean":
        return Signal(index, table=(0.0, 1.0, np.nan, np.nan))
    return Signal(index, table=(*levels, missing, UNKNOWN))


def through(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    """Follow signals through a fitted transformer, 'passthrough' or 'drop'."""
    if isinstance(transformer, str):
        return {"passthrough": signals, "drop": []}[transformer]
    name = type(transformer).__name__
    if name not in _TRANSFORMERS or not type(transformer).__module__.startswith("sklearn."):
        raise PlanRefused(f"transformer {name}: a plan takes {', '.join(_TRANSFORMERS)}, passthrough and drop")
    return _TRANSFORMERS[name](transformer, signals, levels)


def _pipeline(pipeline: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    for _, step in pipeline.steps:
        signals = through("passthrough" if step is None else step, signals, levels)
    return signals


def _columns(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    out = []
    for name, fitted, _ in transformer.transformers_:
        chosen = [signals[index] for index in transformer._transformer_to_input_indices[name]]
        # scikit-learn does not fit a transformer that is given no column
        out += through(fitted, chosen, levels) if chosen else []
    return [replace(signal, sparse=transformer.sparse_output_) for signal in out]


def _identity(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    if transformer.func is not None:
        raise PlanRefused(f"FunctionTransformer(func={transformer.func!r}): a plan takes only func=None")
    return list(signals)


def _scaler(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    steps: tuple[tuple[str, Any], ...] = (("subtract", transformer.mean_),) if transformer.with_mean else ()
    steps += (("divide", transformer.scale_),) if transformer.with_std else ()
    return _scaled(transformer, signals, levels, [[(op, by[j], 0.0) for op, by in steps] for j in range(len(signals))])


def _min_max(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    low, high = transformer.feature_range
    clip = [("clip", float(low), float(high))] if transformer.clip else []
    steps = [
        [("multiply", k, 0.0), ("add", m, 0.0), *clip]
        for k, m in zip(transformer.scale_, transformer.min_, strict=True)
    ]
    return _scaled(transformer, signals, levels, steps)


def _scaled(transformer: Any, signals: list[Signal], levels: Levels, steps: Any) -> list[Signal]:
    """Scale signals; scalers let a NaN through and refuse an infinity."""
    probed = _probe(transformer, signals)
    finite = ("finite", 0.0, 0.0)
    out = [
        replace(signal, steps=(*signal.steps, finite, *map(_floats, steps[j]))) if signal.is_number else probed(j, j)
        for j, signal in enumerate(signals)
    ]
    levels.guard(out)
    return out


def _floats(step: Any) -> Step:
    return (step[0], float(step[1]), float(step[2]))


def _imputer(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    if transformer.strategy == "constant" and callable(transformer.fill_value):
        raise PlanRefused("SimpleImputer(fill_value=a function): a plan takes a value")
    marker = transformer.missing_values
    for signal in signals:
        if isinstance(marker, str) and not signal.is_number:
            learn(levels, signal, [marker])
    statistics = transformer.statistics_
    kept = [j for j in range(len(signals)) if transformer.keep_empty_features or not _is_nan(statistics[j])]
    flagged = list(transformer.indicator_.features_) if transformer.add_indicator else []
    probed = _probe(transformer, signals)
    checks = (("finite", 0.0, 0.0),) if _is_nan(marker) else (("present", 0.0, 0.0), ("finite", 0.0, 0.0))
    levels.guard(
        replace(s, steps=(*s.steps, *checks)) if s.is_number else probed(j, None) for j, s in enumerate(signals)
    )
    out = []
    for place, (j, op) in enumerate([(j, "replace") for j in kept] + [(j, "indicate") for j in flagged]):
        signal = signals[j]
        if not signal.is_number:
            out.append(probed(j, place))
            continue
        fill = _number(statistics[j], "SimpleImputer.statistics_") if op == "replace" else 0.0
        step = (op, _number(marker, "SimpleImputer(missing_values)"), fill)
        out.append(replace(signal, steps=(*signal.steps, *checks, step)))
    return out


def _number(value: Any, name: str) -> float:
    if value is None or isinstance(value, str):
        raise PlanRefused(f"{name} is {value!r} for a number column: a plan takes a number or NaN")
    return float(value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and np.isnan(value)


def _encoder(width_of: Callable[[Any, int], int]) -> Callable[[Any, list[Signal], Levels], list[Signal]]:
    """Return the encoder whose column j makes width_of(encoder, j, signals) features, in the order of its columns."""

    def encode(transformer: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
        for j, categories in enumerate(transformer.categories_):
            if len(categories) > _MOST_CATEGORIES:
                raise PlanRefused(
                    f"{type(transformer).__name__} with {len(categories)} categories in its column {j}: a plan takes "
                    f"up to {_MOST_CATEGORIES}; set max_categories or min_frequency, or group the values before"
                )
        signals = [coded(s, transformer.categories_[j], type(transformer).__name__) for j, s in enumerate(signals)]
        for j, signal in enumerate(signals):
            learn(levels, signal, transformer.categories_[j])
        probed = _probe(transformer, signals, [c[0] for c in transformer.categories_])
        out: list[Signal] = []
        for j in range(len(signals)):
            out += [probed(j, len(out) + k) for k in range(width_of(transformer, j))]
            levels.guard([probed(j, None)])
        return out

    return encode


def _one_hot_width(encoder: Any, j: int) -> int:
    return encoder._n_features_outs[j]


def _target_width(encoder: Any, j: int) -> int:
    return len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1


def learn(levels: Levels, signal: Signal, categories: Any) -> None:
    """Remember the texts that an encoder knows; the walk is done again with them (see `compile.py`)."""
    if signal.keys is None and signal.column in levels:
        levels[signal.column].update((c, None) for c in categories if isinstance(c, str))


def coded(signal: Signal, categories: Any, name: str) -> Signal:
    """Turn a number that is used as a category into its position among the categories, or unknown."""
    if not signal.is_number:
        return signal
    if any(isinstance(c, str) for c in categories):
        raise PlanRefused(f"{name} has text categories for a number column: declare the column a category")
    known = {float(c) for c in categories if c is not None and not _is_nan(c)}
    # the imputer's fill is among the encoder's categories; checks stay, they are the encoder's too
    fills = [step for step in signal.steps if step[0] not in CHECKS]
    if len(fills) > 1 or any(op != "replace" or not np.isnan(a) for op, a, _ in fills):
        raise PlanRefused(
            f"{name} after {'/'.join(op for op, *_ in fills)} on a number column: "
            "a plan takes at most an imputer before it"
        )
    keys = tuple(sorted(known)) or (0.0,)
    missing = fills[0][2] if fills else np.nan
    unknown = np.nextafter(keys[-1], np.inf)
    return Signal(signal.column, table=(*keys, missing, unknown), keys=keys)


def _probe(
    transformer: Any, signals: list[Signal], accepted: list[Any] | None = None
) -> Callable[[int, int | None], Signal]:
    """Return probed(j, place): signal j after the fitted transformer, in its output column `place`; zeros where that is
    None.

    Columns do not mix, so while one is asked about, the others hold any value that the transformer accepts.
    """
    accepted = accepted or [0.0 if s.is_number else s.table[0] for s in signals]
    answers: dict[int, tuple[np.ndarray, frozenset[int]]] = {}

    def probed(j: int, place: int | None) -> Signal:
        if j not in answers:
            answers[j] = _answers(
                transformer, [[*accepted[:j], value, *accepted[j + 1 :]] for value in signals[j].table]
            )
        table, refused = answers[j]
        # nothing is answered where every value is refused, as on the first walk, when no level is known yet
        found = np.zeros(len(table)) if place is None or not table.shape[1] else table[:, place]
        return replace(signals[j], table=found, refused=refused | signals[j].refused)

    return probed


def _answers(transformer: Any, rows: list[Any]) -> tuple[np.ndarray, frozenset[int]]:
    """Return a row of answers for each row, and the rows that the transformer refuses, whose answers are NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = _answer(transformer, rows)
        if answers is not None:
            return answers, frozenset()
        singly = [_answer(transformer, [row]) for row in rows]
    refused = frozenset(index for index, answer in enumerate(singly) if answer is None)
    width = max((answer.shape[1] for answer in singly if answer is not None), default=0)
    blank = np.full((1, width), np.nan)
    return np.concatenate([blank if answer is None else answer for answer in singly]), refused


def _answer(transformer: Any, rows: list[Any]) -> np.ndarray | None:
    try:
        return _dense(transformer.transform(_matrix(rows, transformer)))
    except ValueError:
        return None


def _dense(out: Any) -> np.ndarray:
    return out.toarray() if issparse(out) else np.asarray(out)


def _matrix(rows: list[Any], transformer: Any) -> np.ndarray:
    """Return rows as the transformer saw them when it was fitted: floats where all are numbers, else objects."""
    fitted_on_objects = any(categories.dtype == object for categories in getattr(transformer, "categories_", ()))
    if not fitted_on_objects and all(isinstance(value, (float, np.floating)) for row in rows for value in row):
        return np.array(rows, dtype=np.float64)
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        out[i] = row
    return out


_TRANSFORMERS = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _columns,
    "FunctionTransformer": _identity,
    "SimpleImputer": _imputer,
    "StandardScaler": _scaler,
    "MinMaxScaler": _min_max,
    "OneHotEncoder": _encoder(_one_hot_width),
    "OrdinalEncoder": _encoder(lambda encoder, j: 1),
    "TargetEncoder": _encoder(_target_width),
}
