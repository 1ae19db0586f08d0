"""A backtest as one HTML page: no script, nothing fetched, every text escaped."""

from collections.abc import Sequence
from itertools import accumulate

from markupsafe import Markup

from domain.train.curves import Points
from domain.watch.backtest import Backtest, Tried
from domain.watch.policies import Policy
from domain.watch.scenarios import in_words
from fairway.report.curve_charts import Axis, Line, axis_over, lines
from fairway.report.render import render
from fairway.tables.backtest import answer, heads, rows

_SMOOTHED = 4  # weeks, of the line of quality
_LEFT = ("retraining",)  # heads of columns that are texts


def backtest_page(result: Backtest, *, project: str, overrides: list[str]) -> str:
    """Write the page of a backtest; the same result gives the same page."""
    names = heads(result)
    document = render(
        "backtest.html",
        title=f"How often to retrain {project}",
        result=result,
        overrides=[*([in_words(result["scenario"])] if result["scenario"] else []), *overrides],
        answer=answer(result),
        heads=names,
        numbers=[name for name in names if name not in _LEFT],
        rows=rows(result),
        pictures=[
            (caption, picture) for caption, picture in (_gained(result), _quality(result)) if picture is not None
        ],
    )
    return str(document)


def _gained(result: Backtest) -> tuple[str, Markup | None]:
    """Draw what each policy brought beyond never retraining, added up week by week."""
    caption = "Value beyond that of never retraining, added up week by week; training is not taken off."
    never = next((each for each in result["policies"] if each["policy"] == Policy.NEVER), None)
    others = [each for each in result["policies"] if each is not never]
    if never is None or not others or len(never["weeks"]) < 2 or not any(each["value_usd"] for each in others):
        return caption, None
    gained = [_beyond(each, never) for each in others]
    unit, size = _unit(max(abs(value) for values in gained for value in values))
    series = [(each, [value / size for value in values]) for each, values in zip(others, gained, strict=True)]
    return caption, _chart(result, series, f"{unit} beyond never", caption)


def _beyond(tried: Tried, never: Tried) -> list[float]:
    gains = [
        (week["value_usd"] or 0.0) - (other["value_usd"] or 0.0)
        for week, other in zip(tried["weeks"], never["weeks"], strict=True)
    ]
    return list(accumulate(gains))


def _unit(most: float) -> tuple[str, float]:
    """Return a unit in which amounts have few digits, and its size in dollars."""
    units = (("million dollars", 1e6), ("thousand dollars", 1e3))
    return next(((name, size) for name, size in units if most >= size), ("dollars", 1.0))


def _quality(result: Backtest) -> tuple[str, Markup | None]:
    caption = f"{result['metric']}, the mean of {_SMOOTHED} weeks."
    series = [(each, _smoothed([week["quality"] for week in each["weeks"]])) for each in result["policies"]]
    if not any(sum(value is not None for value in values) > 1 for _, values in series):
        return caption, None
    return caption, _chart(result, series, result["metric"], caption)


def _smoothed(values: list[float | None]) -> list[float | None]:
    """Return the mean of each week and those before it; None before there are enough."""
    means: list[float | None] = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(end - _SMOOTHED, 0) : end] if value is not None]
        means.append(sum(known) / len(known) if known and end >= min(_SMOOTHED, len(values)) else None)
    return means


def _chart(result: Backtest, series: Sequence[tuple[Tried, Sequence[float | None]]], name: str, title: str) -> Markup:
    """Draw a line a policy; it has the same look in every picture."""
    looks = {each["policy"]: number for number, each in enumerate(result["policies"])}
    drawn = [(each, _points(values)) for each, values in series]
    x = Axis(f"weeks since {result['first']}", 0.0, float(max(len(values) for _, values in series)))
    y = axis_over(name, [value for _, points in drawn for _, value in points])
    return lines(
        [Line(each["policy"], points, look=looks[each["policy"]]) for each, points in drawn if points],
        x=x,
        y=y,
        title=title,
    )


def _points(values: Sequence[float | None]) -> Points:
    return [(float(week), value) for week, value in enumerate(values, 1) if value is not None]
