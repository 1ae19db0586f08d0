"""The engines that need no compiler: numpy on a plan, and scikit-learn on a pipeline that no plan expresses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pyarrow.compute as pc

from model_code.plan.check import pipeline_answers, pipeline_matrix
from model_code.plan.compile import fitted_order, missing_value
from model_code.plan.execute import answers
from model_code.plan.format import Column
from model_code.plan.read import decode
from model_code.plan.rows import csv_rows, from_arrow, from_rows, json_lines_rows, json_rows
from model_code.refusals import RowRefused
from model_code.rows.features import ModelColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from model_code.engines.engine import Limit, Scored


class RowEngine(ABC):
    """Reads every kind of body into rows; what scores them is the subclass's `_answers(columns, values)`."""

    columns: Sequence[Column]
    ignored: Collection[str]

    @abstractmethod
    def _with_levels(self, texts: Callable[[str], set[str]]) -> Sequence[Column]:
        """Return the columns, and with each that is read as text the levels that these rows have."""

    @abstractmethod
    def _answers(self, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Scored:
        """Score the values of the columns."""

    def json(self, body: bytes) -> Scored:
        return self.rows(json_rows(body))

    def json_lines(self, body: bytes) -> Scored:
        return self.rows(json_lines_rows(body))

    def csv(self, body: bytes, header: bool) -> Scored:
        return self.rows(csv_rows(self.columns, body, ignored=self.ignored, header=header))

    def set_limits(self, limits: list[Limit], listed: bool) -> None:  # noqa: B027 nothing to do is right for most
        """Do nothing: only the kernel has a fast path that uses the limits of columns."""

    def reply_within(self, body: bytes, form: Any) -> None:
        return None

    def lists(self, rows: list[Any]) -> list[list[float]]:
        return self.rows(rows)[0].tolist()

    def rows(self, rows: list[Any]) -> Scored:
        columns = self._with_levels(
            lambda name: {row[name] for row in rows if isinstance(row, dict) and isinstance(row.get(name), str)}
        )
        values, _, refusals = from_rows(columns, rows, ignored=self.ignored)
        return self._joined(columns, values, refusals)

    def batch(self, batch: pa.RecordBatch | pa.Table) -> Scored:
        columns = self._with_levels(lambda name: set(_texts(batch, name)))
        values, _, refusals = from_arrow(columns, batch)
        return self._joined(columns, values, refusals)

    def _joined(
        self, columns: Sequence[Column], values: Sequence[np.ndarray], refused_before: list[RowRefused]
    ) -> Scored:
        scores, refusals = self._answers(columns, values)
        first = {refusal.row: refusal for refusal in [*refusals, *refused_before]}
        scores[list(first)] = np.nan
        return scores, [first[row] for row in sorted(first)]


def _texts(batch: pa.RecordBatch | pa.Table, name: str) -> list[str]:
    if name not in batch.schema.names:
        return []
    values = batch.column(batch.schema.get_field_index(name))
    return [text for text in pc.unique(values).to_pylist() if isinstance(text, str)]


class PlanEngine(RowEngine):
    name = "numpy"

    def __init__(self, data: bytes, ignored: Collection[str]) -> None:
        self.plan, self.ignored = decode(data), ignored
        self.columns, self.classes, self.task = self.plan.columns, list(self.plan.classes), self.plan.task

    def _with_levels(self, texts: Callable[[str], set[str]]) -> Sequence[Column]:
        return self.columns

    def _answers(self, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Scored:
        return answers(self.plan, values)


class PipelineEngine(RowEngine):
    """A category's levels are whatever the rows bring: the pipeline itself knows which are known."""

    name = "scikit-learn"

    def __init__(self, file: Any, columns: list[ModelColumn], ignored: Collection[str]) -> None:
        self.pipeline, self.ignored = joblib.load(file), ignored
        self.columns = tuple(Column(column["name"], column["kind"]) for column in columns)
        self.order, self.missing = fitted_order(self.pipeline, columns), missing_value(self.pipeline)
        self.classes = [
            label.item() if isinstance(label, np.generic) else label for label in getattr(self.pipeline, "classes_", ())
        ]
        self.task = "classification" if self.classes else "regression"

    def _with_levels(self, texts: Callable[[str], set[str]]) -> Sequence[Column]:
        return tuple(
            Column(c.name, c.kind, tuple(sorted(texts(c.name)))) if c.kind == "category" else c for c in self.columns
        )

    def _answers(self, columns: Sequence[Column], values: Sequence[np.ndarray]) -> Scored:
        """Answer all rows at once, or one by one if scikit-learn refuses some of them."""
        matrix = pipeline_matrix(columns, values, self.missing)[:, self.order]
        try:
            return self._predict(matrix), []
        except ValueError:
            return self._one_by_one(matrix)

    def _predict(self, matrix: np.ndarray) -> np.ndarray:
        width, kinds = len(self.classes) or 1, [self.columns[place].kind for place in self.order]
        return pipeline_answers(self.pipeline, matrix, kinds) if len(matrix) else np.zeros((0, width))

    def _one_by_one(self, matrix: np.ndarray) -> Scored:
        scores, refusals = np.full((len(matrix), len(self.classes) or 1), np.nan), []
        for row in range(len(matrix)):
            try:
                scores[row] = self._predict(matrix[row : row + 1])[0]
            except ValueError as error:
                refusals.append(RowRefused(row, None, f"scikit-learn refuses it: {error}"))
        return scores, refusals
