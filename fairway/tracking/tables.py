"""Training runs as tables of text: a list, one run in full, two runs compared."""

from collections.abc import Iterable, Sequence

from fairway.terminal.table import table
from fairway.tracking.facts import (
    UNKNOWN,
    Figure,
    cost,
    curve_figures,
    day,
    facts,
    figures,
    pairs,
    parameters,
    took,
)
from fairway.tracking.record import TrainingRun

_HEADS = ("run", "learnt from", "to", "judged to", "chosen", "quality", "verdict", "became", "took", "cost")


def list_lines(runs: Iterable[TrainingRun]) -> list[str]:
    return table([_row(run) for run in runs], _HEADS)


def run_lines(run: TrainingRun) -> list[str]:
    """Describe one run in full."""
    tried = [(pair.name, pair.first) for pair in parameters(run, run)]
    measured = [(figure.model, figure.name, _number(figure.first)) for figure in figures(run, run)]
    broken = [(each.name, "; ".join(each.broken)) for each in run.candidates if each.broken]
    jobs = [(job.name, job.kind, job.instance, took(job.seconds), cost(job.usd)) for job in run.jobs]
    return [
        *table(facts(run), ("run", run.run)),
        *_below(tried, ("candidate", "parameters")),
        *_below(measured, ("model", "figure", "value")),
        *_below(broken, ("candidate", "breaks")),
        *_below(jobs, ("job", "kind", "machine", "billed", "cost")),
    ]


def comparison_lines(first: TrainingRun, second: TrainingRun) -> list[str]:
    """Compare two runs, and mark the differences."""
    names = first.run, second.run
    marked = [(*pair, "differs" if pair.differs else "") for pair in pairs(first, second)]
    measured = [_figure_row(figure) for figure in figures(first, second)]
    curves = [_figure_row(figure) for figure in curve_figures(first, second)]
    return [
        *table(marked, ("run", *names, "")),
        *_below(parameters(first, second), ("parameters of", *names)),
        *_below(measured, ("model", "figure", *names, "difference")),
        *_below(curves, ("curve of the chosen", "place", *names, "difference")),
    ]


def _below(rows: Sequence[tuple[str, ...]], heads: tuple[str, ...]) -> list[str]:
    """Return a table below another; empty if there is nothing to show."""
    return ["", *table(rows, heads)] if rows else []


def _row(run: TrainingRun) -> tuple[str, ...]:
    return (
        run.run,
        day(run.train_start),
        day(run.evaluate_start),
        day(run.as_of),
        run.chosen or UNKNOWN,
        UNKNOWN if run.quality is None else f"{run.metric} {run.quality:.4f}",
        run.verdict or run.status.lower(),
        run.became.in_words if run.became else UNKNOWN,
        took(run.seconds),
        cost(run.usd),
    )


def _figure_row(figure: Figure) -> tuple[str, ...]:
    difference = UNKNOWN if figure.difference is None else f"{figure.difference:+.4g}"
    return figure.model, figure.name, _number(figure.first), _number(figure.second), difference


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"
