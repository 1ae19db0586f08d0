"""Facts and figures of training runs, one by one, so that two runs can be compared."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from domain.train.curves import drawn, precision_at, recall_at
from fairway.stage.standing import by_outcomes
from fairway.tracking.record import TrainingRun, Tried

UNKNOWN = "-"
RATES = (0.01, 0.05, 0.1, 0.2, 0.5)  # false positive rates at which tables show the recall
RECALLS = (0.1, 0.25, 0.5, 0.75, 0.9)  # recalls at which tables show the precision


class Fact(NamedTuple):
    """A fact about a run."""

    name: str
    text: str


class Pair(NamedTuple):
    """The same fact about two runs."""

    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        return self.first != self.second


class Figure(NamedTuple):
    """A figure of a model in two runs; None if a run did not try or measure it."""

    model: str
    name: str
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        return self.second - self.first if self.first is not None and self.second is not None else None


def facts(run: TrainingRun) -> list[Fact]:
    """Describe a run: its data, its code, its end, and what became of its release."""
    became = run.became
    return [
        Fact("learnt from", f"{day(run.train_start)} to {day(run.evaluate_start)}, {_rows(run.train_rows)}"),
        Fact("judged on", f"{day(run.evaluate_start)} to {day(run.as_of)}, {_rows(run.evaluate_rows)}"),
        Fact("data hash", run.data_hash or UNKNOWN),
        Fact("contract", run.contract_hash or UNKNOWN),
        Fact("code", run.code_version or UNKNOWN),
        Fact("seed", UNKNOWN if run.seed is None else str(run.seed)),
        Fact("champion then", run.champion.name if run.champion else "none"),
        Fact("verdict", run.verdict or run.status.lower()),
        Fact("why", run.reason or UNKNOWN),
        Fact("release", became.release if became else UNKNOWN),
        Fact("became", became.in_words if became else "nothing"),
        Fact("on newer rows", _newest(run)),
        Fact("what happened", by_outcomes(became.observed) if became and became.observed else UNKNOWN),
        Fact("started", (run.started_at or UNKNOWN)[:19]),
        Fact("took", took(run.seconds)),
        Fact("cost", cost(run.usd)),
    ]


def pairs(first: TrainingRun, second: TrainingRun) -> list[Pair]:
    return [Pair(one.name, one.text, other.text) for one, other in zip(facts(first), facts(second), strict=True)]


def figures(first: TrainingRun, second: TrainingRun) -> list[Figure]:
    """Compare every metric of every candidate, and of the champions at the time."""
    return [
        figure
        for name in model_names(first, second)
        for figure in _figures(name, _of(first, name), _of(second, name))
        if (figure.first, figure.second) != (None, None)
    ]


def parameters(first: TrainingRun, second: TrainingRun) -> list[Pair]:
    """Compare the parameters of every candidate that has any."""
    found = [
        Pair(name, _parameters(_of(first, name)), _parameters(_of(second, name))) for name in model_names(first, second)
    ]
    return [pair for pair in found if {pair.first, pair.second} - {UNKNOWN, "{}"}]


def curve_figures(first: TrainingRun, second: TrainingRun) -> list[Figure]:
    """Compare the curves of the chosen candidates at the same points; empty if the task has none."""
    return [
        Figure(kind, f"at {place:g}", *(_read(run.judged, read, place) for run in (first, second)))
        for kind, places, read in (
            ("recall by false positive rate", RATES, _recall),
            ("precision by recall", RECALLS, _precision),
        )
        for place in places
        if any(run.judged and run.judged.curve and "cuts" in run.judged.curve for run in (first, second))
    ]


def on_the_same_rows(first: TrainingRun, second: TrainingRun) -> bool:
    """Return whether the metrics of two runs can be compared: the same days under the same contract."""
    keys = ("evaluate_start", "as_of", "evaluate_rows", "contract_hash")
    return all(getattr(first, key) == getattr(second, key) for key in keys)


def took(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def cost(usd: float | None) -> str:
    return UNKNOWN if usd is None else f"${usd:.4f}"


def model_names(first: TrainingRun, second: TrainingRun) -> list[str]:
    """Return the names of all models: candidates, then the champions at the time."""
    names = [each.name for run in (first, second) for each in run.candidates]
    names += [run.champion.name for run in (first, second) if run.champion]
    return list(dict.fromkeys(names))


def _of(run: TrainingRun, name: str) -> Tried | None:
    models = [*run.candidates, *([run.champion] if run.champion else [])]
    return next((each for each in models if each.name == name), None)


def _figures(name: str, first: Tried | None, second: Tried | None) -> Iterator[Figure]:
    values = [_values(model) for model in (first, second)]
    for key in dict.fromkeys([*values[0], *values[1]]):
        yield Figure(name, key, values[0].get(key), values[1].get(key))


def _values(model: Tried | None) -> dict[str, float | None]:
    if model is None:
        return {}
    measured = {"standard error": model.standard_error, "p99, ms": model.p99_ms, "size, MB": model.size_mb}
    return {**model.metrics, **measured}


def _parameters(model: Tried | None) -> str:
    return json.dumps(model.parameters, sort_keys=True) if model else UNKNOWN


def _read(model: Tried | None, read: Callable[[Tried, float], float], place: float) -> float | None:
    return read(model, place) if model and model.curve and "cuts" in model.curve else None


def _recall(model: Tried, rate: float) -> float:
    assert model.curve, "read where there is one"
    return recall_at(drawn(model.curve).roc, rate)


def _precision(model: Tried, recall: float) -> float:
    assert model.curve, "read where there is one"
    return precision_at(drawn(model.curve).precision_recall, recall)


def _newest(run: TrainingRun) -> str:
    newest = run.became.newest if run.became else None
    value = newest["metrics"].get(run.metric or "") if newest else None
    return f"{run.metric} {value:.4f} to {day(newest['as_of'])}" if newest and value is not None else UNKNOWN


def day(timestamp: str | None) -> str:
    return (timestamp or UNKNOWN)[:10]


def _rows(count: int | None) -> str:
    return "rows not known" if count is None else f"{count:,} rows"
