"""What happened to the answers of a release, window by window, as sums that DynamoDB adds: items of the evidence table.

    rollout (pk)    `outcomes#<release>`
    item (sk)       `2013-04-01#3`: the window in which the answers were made, and one of PARTS, so that many may add

Each outcome is added once, with its record, and taken back when it is corrected. So no job reads outcomes to know how
good a release is, and none of them is counted twice. Sums name nobody.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.money.worth import CELLS
from domain.records import Item
from domain.request.answers import Source
from domain.request.confidence import held
from domain.request.outcomes import assess
from domain.timestamps import parse_timestamp
from domain.watch.windows import span_of

OF_RELEASE = "outcomes#"
PARTS = 8
SPANS = 50  # of a probability; a ranking of so many spans is that of the rows to some thousandths
LEAST_PROBABILITY = 1e-15
_DIGITS = 9  # of a number that is added, so that a sum stays within the 38 digits of DynamoDB
_PER_CLASS = ("right", "answered", "actual")

Adds = dict[str, float]


@dataclass(frozen=True)
class Happened:
    """Sums over the outcomes of a release's answers in one window, by what `adds` has them called."""

    window: str
    sums: Mapping[str, float] = field(default_factory=dict)

    @property
    def outcomes(self) -> int:
        return int(self.sums.get("outcomes", 0))

    @property
    def wrong(self) -> int:
        return int(self.sums.get("wrong", 0))

    @property
    def decisions(self) -> dict[str, int] | None:
        """Return right and wrong decisions by CELLS; None where the task has none."""
        counted = {cell: int(self.sums.get(cell, 0)) for cell in CELLS}
        return counted if any(counted.values()) else None

    def mean(self, name: str) -> float | None:
        """Return a sum by outcome; None without any, or where the task does not have it."""
        return self.sums[name] / self.outcomes if self.outcomes and name in self.sums else None


def of_release(release: str) -> dict[str, Any]:
    """Return the partition key of a release's items, in plain values."""
    return {"rollout": f"{OF_RELEASE}{release}"}


def sums_key(release: str, window: str, prediction: str) -> Item:
    """Return the key of the item that an outcome of this prediction is added to."""
    part = hashlib.sha256(prediction.encode()).digest()[0] % PARTS
    return {"rollout": {"S": of_release(release)["rollout"]}, "item": {"S": f"{window}#{part}"}}


def is_counted(prediction: Mapping[str, Any]) -> bool:
    """Whether a model gave the answer: what the prior is worth is known without watching."""
    return bool(prediction.get("release")) and prediction.get("source") in (Source.MODEL, Source.FUNCTION)


def at_usual_threshold(prediction: Mapping[str, Any], usual: float) -> Mapping[str, Any]:
    """Return the prediction as decided by the threshold of the release's reference: windows watch the model, and an
    experiment's threshold, or one that was promoted, would look like a change of it.
    """
    if "threshold" not in prediction or prediction.get("probability") is None:
        return prediction
    return {**prediction, "prediction": prediction["probability"] >= usual}


def window_of(prediction: Mapping[str, Any], days: int) -> str | None:
    """Return the window in which the answer was made; None where its timestamp cannot be read."""
    made_at = parse_timestamp(str(prediction.get("made_at", "")))
    return span_of(made_at, days).name if made_at else None


def adds(contract: Contract, business: Business, *, prediction: Mapping[str, Any], outcome: Any) -> Adds:
    """Return what the outcome of a prediction adds, by attribute."""
    answered = prediction["prediction"]
    known = assess(contract, business, prediction=answered, outcome=outcome)
    if contract.task == "regression":
        error = float(known["error"])
        numbers: Adds = {"error": error, "absolute_error": abs(error), "squared_error": error * error}
    elif contract.task == "multiclass":
        numbers = _of_classes(str(answered), str(outcome))
    else:
        numbers = _of_decision(bool(answered), outcome == contract.positive, prediction.get("probability"))
        numbers["value_usd"] = known["value_usd"]
    wrong = {} if contract.task == "regression" else {"wrong": int(not known["correct"])}
    promised = _of_promise(held(contract, prediction.get("confidence") or {}, outcome))
    return {name: _short(number) for name, number in ({"outcomes": 1} | wrong | promised | numbers).items()}


def _of_promise(kept: bool | None) -> Adds:
    """Return what an answer adds that named a set or an interval."""
    return {} if kept is None else {"promised": 1, "held": int(kept)}


def _of_decision(yes: bool, happened: bool, probability: float | None) -> Adds:
    cell = f"{'true' if yes == happened else 'false'}_{'positive' if yes else 'negative'}"
    if probability is None:
        return {cell: 1}
    share = min(max(float(probability), LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return {
        cell: 1,
        "predicted": float(probability),
        "log_loss": -math.log(share if happened else 1 - share),
        "brier": (float(probability) - happened) ** 2,
        _span("happened" if happened else "not", probability): 1,
    }


def _span(kind: str, probability: float) -> str:
    return f"{kind}_{min(int(probability * SPANS), SPANS - 1)}"


def _of_classes(answered: str, actual: str) -> Adds:
    numbers: Adds = {f"answered#{answered}": 1, f"actual#{actual}": 1}
    return numbers | ({f"right#{actual}": 1} if answered == actual else {})


def _short(number: float) -> float:
    return round(number, _DIGITS) if isinstance(number, float) else number


# ---- read


def windows_of(items: Iterable[Mapping[str, Any]]) -> list[Happened]:
    """Return what happened in each window, the earliest first, of a release's items in plain values."""
    sums: dict[str, dict[str, float]] = {}
    for item in items:
        window = sums.setdefault(str(item["item"]).partition("#")[0], {})
        for name, number in item.items():
            if name not in ("rollout", "item"):
                window[name] = window.get(name, 0) + number
    return [Happened(window, sums[window]) for window in sorted(sums)]


def total(windows: Iterable[Happened], name: str) -> Happened:
    """Add several windows up to one, which is called `name`."""
    sums: dict[str, float] = {}
    for each in windows:
        for key, number in each.sums.items():
            sums[key] = sums.get(key, 0) + number
    return Happened(name, sums)


def metrics(task: str, happened: Happened) -> dict[str, float]:
    """Measure the answers by their outcomes, in the names of benchmarks; those that these rows do not allow are not
    there. Of a ranking that its spans are known of, `roc_auc` is to some thousandths.
    """
    if not happened.outcomes:
        return {}
    found: dict[str, float | None]
    if task == "multiclass":
        found = {"accuracy": 1 - happened.wrong / happened.outcomes, "macro_f1": _macro_f1(happened)}
    elif task == "regression":
        squared = happened.mean("squared_error")
        found = {"mae": happened.mean("absolute_error"), "rmse": math.sqrt(max(squared, 0.0)) if squared else 0.0}
    else:
        found = {"roc_auc": _roc_auc(happened), "log_loss": happened.mean("log_loss"), "brier": happened.mean("brier")}
    return {name: value for name, value in found.items() if value is not None}


def happened_share(happened: Happened) -> float | None:
    """Return the share of outcomes that were positive; None for another task or without outcomes."""
    cells = happened.decisions
    if cells is None:
        return None
    return (cells["true_positive"] + cells["false_negative"]) / sum(cells.values())


def held_share(happened: Happened) -> float | None:
    """Return the share of outcomes that lay in the set or interval of their answer; None if no answer named one."""
    promised = happened.sums.get("promised", 0)
    return happened.sums.get("held", 0) / promised if promised else None


def _roc_auc(happened: Happened) -> float | None:
    """Compute the Mann-Whitney statistic; rows of a span are ties, which count half."""
    spans = [[happened.sums.get(f"{kind}_{span}", 0) for span in range(SPANS)] for kind in ("happened", "not")]
    positives, negatives = map(sum, spans)
    if not positives or not negatives:
        return None
    below = wins = 0.0
    for hits, others in zip(*spans, strict=True):
        wins += hits * (below + others / 2)
        below += others
    return wins / (positives * negatives)


def _macro_f1(happened: Happened) -> float:
    labels = {name.partition("#")[2] for name in happened.sums if name.partition("#")[0] in _PER_CLASS and "#" in name}
    shares = []
    for label in sorted(labels):
        right, answered, actual = (happened.sums.get(f"{kind}#{label}", 0) for kind in _PER_CLASS)
        if answered + actual:
            shares.append(2 * right / (answered + actual))
    return math.fsum(shares) / len(shares) if shares else 0.0
