"""Two training runs side by side as one HTML page: no script, nothing fetched, every text escaped."""

from dataclasses import dataclass

from markupsafe import Markup

from domain.train.curves import Drawn, Points, drawn
from fairway.report.curve_charts import Axis, Line, axis_over, lines
from fairway.report.render import render
from fairway.tracking import facts
from fairway.tracking.record import TrainingRun, Tried


@dataclass(frozen=True)
class _Kind:
    """A kind of curve: its points in Drawn, and its labels."""

    field: str
    title: str
    x: str
    y: str
    diagonal: bool


_KINDS = (
    _Kind("roc", "ROC", "false positive rate", "recall", diagonal=True),
    _Kind("precision_recall", "Precision and recall", "recall", "precision", diagonal=False),
    _Kind("calibration", "Calibration", "predicted", "happened", diagonal=True),
)


def comparison_page(first: TrainingRun, second: TrainingRun, *, project: str, stage: str) -> str:
    """Write the page of two runs; the same runs give the same page."""
    document = render(
        "compare.html",
        title=f"{first.run} and {second.run}",
        project=project,
        stage=stage,
        runs=(first, second),
        pairs=facts.pairs(first, second),
        parameters=facts.parameters(first, second),
        figures=facts.figures(first, second),
        curves=facts.curve_figures(first, second),
        same_rows=facts.on_the_same_rows(first, second),
        pictures=[(kind.title, _pictures(kind, first, second)) for kind in _KINDS if _has(kind, first, second)],
    )
    return str(document)


def _has(kind: _Kind, first: TrainingRun, second: TrainingRun) -> bool:
    return any(_points(each, kind) for run in (first, second) for each in _models(run))


def _pictures(kind: _Kind, first: TrainingRun, second: TrainingRun) -> list[tuple[str, Markup | None]]:
    """Draw the models of each run on common scales."""
    looks = {name: number for number, name in enumerate(facts.model_names(first, second))}
    x, y = _axes(kind, [_points(each, kind) for run in (first, second) for each in _models(run)])
    return [(run.run, _picture(kind, run, looks, x, y)) for run in (first, second)]


def _axes(kind: _Kind, curves: list[Points]) -> tuple[Axis, Axis]:
    """Return the axes: shares lie between 0 and 1; a regression's values have one scale for both axes."""
    values = [value for points in curves for point in points for value in point]
    if min(values) >= 0 and max(values) <= 1:
        return Axis(kind.x), Axis(kind.y)
    return axis_over(kind.x, values), axis_over(kind.y, values)


def _picture(kind: _Kind, run: TrainingRun, looks: dict[str, int], x: Axis, y: Axis) -> Markup | None:
    """Draw the chosen candidate last, on top. None if no curve was stored."""
    models = sorted(_models(run), key=lambda each: each.name == run.chosen)
    rows = [
        Line(each.name, points, look=looks[each.name], strong=each.name == run.chosen)
        for each in models
        if (points := _points(each, kind))
    ]
    title = f"{kind.title} of {run.run}"
    return lines(rows, x=x, y=y, title=title, diagonal=kind.diagonal) if rows else None


def _models(run: TrainingRun) -> list[Tried]:
    return [*run.candidates, *([run.champion] if run.champion else [])]


def _points(model: Tried, kind: _Kind) -> Points:
    if model.curve is None:
        return []
    curves: Drawn = drawn(model.curve)
    points: Points = getattr(curves, kind.field)
    return points
