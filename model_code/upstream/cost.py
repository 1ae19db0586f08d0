"""What a change upstream would cost: the same rows answered with and without it, and who would notice.

A row that the contract refuses after the change is answered as the fallback would, since an application that gets no
answer has nothing else to go by. Everything is a sum over rows, so that no table is held in memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from domain.config.sections import Business
from domain.contract.schema import Contract
from domain.request.outcomes import decision_value_usd
from domain.watch.bins import Bins, bins_of, count
from domain.watch.drift import Counts, level, p_value
from model_code.answers.answer_columns import answer_columns, has_answer, prior_columns
from model_code.artefact.folder import Artefact
from model_code.rows.matrices import model_batch, target
from model_code.rows.tables import check_block
from model_code.upstream.changes import Change, changed

NOTICED_AT = 0.01  # of the rows refused: somebody looks, in quarantine or at the errors of an application


@dataclass(frozen=True)
class Scenario:
    """Columns that change together, and how."""

    columns: tuple[str, ...]
    change: Change


@dataclass
class Cost:
    """Sums over the rows that a scenario was tried on."""

    scenario: Scenario
    rows: int = 0
    refused: int = 0  # by the contract, after the change
    flipped: int = 0  # other decisions, those of refused rows included; none in a regression
    shift: float = 0.0  # sum of |probability after - before|, of a regression |prediction|
    before: dict[str, float] = field(default_factory=dict)  # sums that accuracy and value are made of
    after: dict[str, float] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)  # rows by bin of each changed column

    def per_row(self, name: str) -> float:
        """Return how much more of a sum there is to a row after the change: `right`, `error` or `value_usd`."""
        return (self.after.get(name, 0.0) - self.before.get(name, 0.0)) / self.rows if self.rows else 0.0


class Replay:
    """The champion over blocks of rows with a target, as they are and under each scenario."""

    def __init__(
        self,
        artefact: Artefact,
        contract: Contract,
        scenarios: Iterable[Scenario],
        *,
        business: Business,
        threshold: float,
    ) -> None:
        self.costs = [Cost(scenario) for scenario in scenarios]
        self.bins: dict[str, Bins] = {}
        self.reference: dict[str, list[int]] = {}
        self.rows = 0
        self._artefact, self._contract, self._business, self._threshold = artefact, contract, business, threshold
        self._watched = {name for cost in self.costs for name in cost.scenario.columns}

    def add(self, rows: pa.RecordBatch) -> None:
        """Try every scenario on a block of checked rows."""
        actual = target(self._contract, pa.Table.from_batches([rows]))
        prediction, probability = self._answers(rows)
        before = self._sums(prediction, actual)
        self._add_reference(rows)
        for number, cost in enumerate(self.costs):
            block = changed(rows, list(cost.scenario.columns), cost.scenario.change, seed=self.rows + number)
            if block is None:
                continue
            checked = check_block(self._contract, block, with_target=True)
            kept = checked.row_numbers - 1
            instead, doubt = self._prior(len(rows))
            instead[kept], doubt[kept] = self._answers(checked.accepted)
            cost.rows += len(rows)
            cost.refused += len(rows) - len(kept)
            cost.shift += float(np.abs(doubt - probability).sum())
            cost.flipped += 0 if self._contract.task == "regression" else int((instead != prediction).sum())
            _add(cost.before, before)
            _add(cost.after, self._sums(instead, actual))
            self._count(cost, checked.accepted)
        self.rows += len(rows)

    def noticed_by(self, cost: Cost) -> str:
        """Name what tells of the change: the contract, the drift of a window of these rows, or nothing."""
        if cost.refused >= NOTICED_AT * cost.rows:
            return "contract"
        found = [self._p_value(name, counts) for name, counts in cost.counts.items()]
        features = max(len(self._contract.features), 1)
        return "drift" if any(p <= level() / features for p in found) else "nothing"

    def _p_value(self, name: str, counts: list[int]) -> float:
        return p_value(Counts(self.reference[name], counts), ordered=self.bins[name].ordered)

    def _add_reference(self, rows: pa.RecordBatch) -> None:
        for name in self._watched:
            values = _watchable(rows.column(name))
            self.bins.setdefault(name, bins_of(values))
            _add_counts(self.reference, name, count(self.bins[name], values))

    def _count(self, cost: Cost, rows: pa.RecordBatch) -> None:
        for name in cost.scenario.columns:
            _add_counts(cost.counts, name, count(self.bins[name], _watchable(rows.column(name))))

    def _answers(self, rows: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        """Return prediction and probability of each row; of a regression the prediction twice."""
        artefact = self._artefact
        scores = artefact.scorer.score_batch(model_batch(artefact.contract, rows), refusals=[])
        columns = answer_columns(
            artefact.contract, scores, classes=artefact.manifest["classes"], threshold=self._threshold
        )
        prediction, probability = self._as_numpy(columns)
        lacking = ~has_answer(scores)
        if lacking.any():
            instead, doubt = self._prior(len(rows))
            prediction[lacking], probability[lacking] = instead[lacking], doubt[lacking]
        return prediction, probability

    def _prior(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        columns = prior_columns(self._contract, threshold=self._threshold)
        return self._as_numpy({name: pa.repeat(value, rows) for name, value in columns.items() if name in _TAKEN})

    def _as_numpy(self, columns: Mapping[str, pa.Array | pa.Scalar]) -> tuple[np.ndarray, np.ndarray]:
        prediction = np.array(columns["prediction"].to_numpy(zero_copy_only=False))
        if self._contract.task == "regression":
            return prediction, prediction.copy()
        return prediction, np.array(columns["probability"].to_numpy(zero_copy_only=False))

    def _sums(self, prediction: np.ndarray, actual: np.ndarray) -> dict[str, float]:
        if self._contract.task == "regression":
            return {"error": float(np.abs(prediction - actual).sum())}
        if self._contract.task == "multiclass":
            return {"right": float((prediction == actual).sum())}
        yes, late = prediction.astype(bool), actual.astype(bool)
        value = sum(
            float(((yes == said) & (late == was)).sum())
            * decision_value_usd(self._business, predicted=said, actual=was)
            for said in (True, False)
            for was in (True, False)
        )
        return {"right": float((yes == late).sum()), "value_usd": value}


_TAKEN = ("prediction", "probability")


def _add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    for name, number in more.items():
        sums[name] = sums.get(name, 0.0) + number


def _add_counts(counts: dict[str, list[int]], name: str, more: list[int]) -> None:
    counts[name] = [a + b for a, b in zip(counts.get(name, [0] * len(more)), more, strict=True)]


def _watchable(values: pa.Array) -> list[str | int | float | bool | None]:
    """Return plain values; timestamps as seconds, since bins are made of numbers and texts."""
    if pa.types.is_timestamp(values.type):
        return [value and value.timestamp() for value in values.to_pylist()]
    plain: list[str | int | float | bool | None] = values.to_pylist()
    return plain
