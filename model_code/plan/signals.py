"""Follows each column through the fitted transformers: what every feature of the model is, as a function of one column.

All transformers that a plan takes work column by column. So a number becomes a chain of exact steps; and a category or
a boolean, which has few values, becomes a table: the fitted transformer itself is asked once for every level, for a
missing and for an unknown value. Infrequent categories, unknown values and the like are therefore scikit-learn's own
answers and are not written down twice.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

from model_code.refusals import PlanRefused

MOST_CATEGORIES = 4096  # a table is categories x features wide while it is compiled
CHECKS = ("finite", "present")
UNKNOWN = "\x00 a category that no encoder knows"


@dataclass(frozen=True)
class Signal:
    """One feature: of a number column `steps`; else `table`, its value for each code, with the codes that are
    `refused`.
    """

    column: int
    steps: tuple = ()
    table: tuple | np.ndarray | None = None
    keys: tuple | None = None
    refused: frozenset = frozenset()
    sparse: bool = False  # whether it reaches the model in a sparse matrix

    @property
    def is_number(self):
        return self.table is None

    @property
    def refuses(self):
        # a number that is used as a category must be finite
        return bool(self.refused) or self.keys is not None or any(step[0] in CHECKS for step in self.steps)


class Levels(dict):
    """Column -> the texts that its encoders know, learned on the walk; and `guards`, signals whose refusals must not be
    lost.

    What a transformer refuses is refused though its feature be dropped later, or reach a model that reads none.
    """

    def __init__(self, columns):
        super().__init__((index, {}) for index, column in enumerate(columns) if column["kind"] == "category")
        self.guards = []

    def guard(self, signals):
        self.guards += [signal for signal in signals if signal.refuses]


def sources(columns, levels, missing):
    """The columns as they reach the pipeline. `levels` maps a category column's index to the values its encoders know."""
    return [_source(index, column["kind"], levels.get(index, ()), missing) for index, column in enumerate(columns)]


def _source(index, kind, levels, missing):
    if kind == "number":
        return Signal(index)
    if kind == "boolean":
        return Signal(index, table=(0.0, 1.0, np.nan, np.nan))
    return Signal(index, table=(*levels, missing, UNKNOWN))


def through(transformer, signals, levels):
    """signals -> transformer -> signals, for a fitted transformer, 'passthrough' or 'drop'."""
    if isinstance(transformer, str):
        return {"passthrough": signals, "drop": []}[transformer]
    name = type(transformer).__name__
    if name not in TRANSFORMERS or not type(transformer).__module__.startswith("sklearn."):
        raise PlanRefused(f"transformer {name}: a plan takes {', '.join(TRANSFORMERS)}, passthrough and drop")
    return TRANSFORMERS[name](transformer, signals, levels)


def _pipeline(pipeline, signals, levels):
    for _, step in pipeline.steps:
        signals = through("passthrough" if step is None else step, signals, levels)
    return signals


def _columns(transformer, signals, levels):
    out = []
    for name, fitted, _ in transformer.transformers_:
        chosen = [signals[index] for index in transformer._transformer_to_input_indices[name]]
        # scikit-learn does not fit a transformer that is given no column
        out += through(fitted, chosen, levels) if chosen else []
    return [replace(signal, sparse=transformer.sparse_output_) for signal in out]


def _identity(transformer, signals, levels):
    if transformer.func is not None:
        raise PlanRefused(f"FunctionTransformer(func={transformer.func!r}): a plan takes only func=None")
    return list(signals)


def _scaler(transformer, signals, levels):
    steps = (("subtract", transformer.mean_),) if transformer.with_mean else ()
    steps += (("divide", transformer.scale_),) if transformer.with_std else ()
    return _scaled(transformer, signals, levels, [[(op, by[j], 0.0) for op, by in steps] for j in range(len(signals))])


def _min_max(transformer, signals, levels):
    low, high = transformer.feature_range
    clip = [("clip", float(low), float(high))] if transformer.clip else []
    steps = [
        [("multiply", k, 0.0), ("add", m, 0.0), *clip]
        for k, m in zip(transformer.scale_, transformer.min_, strict=True)
    ]
    return _scaled(transformer, signals, levels, steps)


def _scaled(transformer, signals, levels, steps):
    """Scalers let a NaN through and refuse an infinity."""
    probed = _probe(transformer, signals)
    finite = ("finite", 0.0, 0.0)
    out = [
        replace(signal, steps=(*signal.steps, finite, *map(_floats, steps[j]))) if signal.is_number else probed(j, j)
        for j, signal in enumerate(signals)
    ]
    levels.guard(out)
    return out


def _floats(step):
    return (step[0], float(step[1]), float(step[2]))


def _imputer(transformer, signals, levels):
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


def _number(value, name):
    if value is None or isinstance(value, str):
        raise PlanRefused(f"{name} is {value!r} for a number column: a plan takes a number or NaN")
    return float(value)


def _is_nan(value):
    return isinstance(value, (float, np.floating)) and np.isnan(value)


def _encoder(width_of):
    """An encoder whose column j makes width_of(encoder, j, signals) features, in the order of its columns."""

    def encode(transformer, signals, levels):
        for j, categories in enumerate(transformer.categories_):
            if len(categories) > MOST_CATEGORIES:
                raise PlanRefused(
                    f"{type(transformer).__name__} with {len(categories)} categories in its column {j}: a plan takes up to "
                    f"{MOST_CATEGORIES}; set max_categories or min_frequency, or group the values before"
                )
        signals = [coded(s, transformer.categories_[j], type(transformer).__name__) for j, s in enumerate(signals)]
        for j, signal in enumerate(signals):
            learn(levels, signal, transformer.categories_[j])
        probed, out = _probe(transformer, signals, [c[0] for c in transformer.categories_]), []
        for j in range(len(signals)):
            out += [probed(j, len(out) + k) for k in range(width_of(transformer, j))]
            levels.guard([probed(j, None)])
        return out

    return encode


def _one_hot_width(encoder, j):
    return encoder._n_features_outs[j]


def _target_width(encoder, j):
    return len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1


def learn(levels, signal, categories):
    """Remembers the texts an encoder knows; the walk is done again with them (see `compile.py`)."""
    if signal.keys is None and signal.column in levels:
        levels[signal.column].update((c, None) for c in categories if isinstance(c, str))


def coded(signal, categories, name):
    """A number that is used as a category: its position among the categories, or unknown."""
    if not signal.is_number:
        return signal
    if any(isinstance(c, str) for c in categories):
        raise PlanRefused(f"{name} has text categories for a number column: declare the column a category")
    known = {float(c) for c in categories if c is not None and not _is_nan(c)}
    # the imputer's fill is among the encoder's categories; checks stay, they are the encoder's too
    fills = [step for step in signal.steps if step[0] not in CHECKS]
    if len(fills) > 1 or any(op != "replace" or not np.isnan(a) for op, a, _ in fills):
        raise PlanRefused(
            f"{name} after {'/'.join(op for op, *_ in fills)} on a number column: a plan takes at most an imputer before it"
        )
    keys = tuple(sorted(known)) or (0.0,)
    missing = fills[0][2] if fills else np.nan
    unknown = np.nextafter(keys[-1], np.inf)
    return Signal(signal.column, table=(*keys, missing, unknown), keys=keys)


def _probe(transformer, signals, accepted=None):
    """-> probed(j, place): signal j after the fitted transformer, found in its output column `place`; zeros where that is None.

    Columns do not mix, so while one is asked about, the others hold any value that the transformer accepts.
    """
    accepted = accepted or [0.0 if s.is_number else s.table[0] for s in signals]
    answers = {}

    def probed(j, place):
        if j not in answers:
            answers[j] = _answers(
                transformer, [[*accepted[:j], value, *accepted[j + 1 :]] for value in signals[j].table]
            )
        table, refused = answers[j]
        # nothing is answered where every value is refused, as on the first walk, when no level is known yet
        found = np.zeros(len(table)) if place is None or not table.shape[1] else table[:, place]
        return replace(signals[j], table=found, refused=refused | signals[j].refused)

    return probed


def _answers(transformer, rows):
    """(a row of answers for each row, the rows that the transformer refuses: their answers are NaN)."""
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


def _answer(transformer, rows):
    try:
        return _dense(transformer.transform(_matrix(rows, transformer)))
    except ValueError:
        return None


def _dense(out):
    return out.toarray() if issparse(out) else np.asarray(out)


def _matrix(rows, transformer):
    """Rows as the transformer saw them when it was fitted: floats where all are numbers, else objects."""
    fitted_on_objects = any(categories.dtype == object for categories in getattr(transformer, "categories_", ()))
    if not fitted_on_objects and all(isinstance(value, (float, np.floating)) for row in rows for value in row):
        return np.array(rows, dtype=np.float64)
    out = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        out[i] = row
    return out


TRANSFORMERS = {
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
