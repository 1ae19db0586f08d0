"""Small pictures for a page: SVG whose colours are the page's own, by CSS class, so that they follow light and dark."""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from fairway.report.render import render

WIDTH, ROW, LEFT, RIGHT, TOP = 720, 30, 190, 90, 26
LONGEST_NAME = 26


@dataclass(frozen=True)
class Dot:
    """A value on a scale; `error` is drawn as a whisker each way."""

    name: str
    value: float
    error: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Bar:
    """An amount in dollars, with the range that it may lie in."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Limit:
    """A line from top to bottom, named above it."""

    value: float
    name: str


def dots(rows: list[Dot], *, limit: Limit | None, title: str) -> Markup:
    """Draw values on one scale, and the limit across them."""
    ends = [row.value + way * (row.error or 0) for row in rows for way in (-1, 1)]
    ends += [limit.value] if limit else []
    room = (max(ends) - min(ends)) * 0.08 or abs(max(ends)) * 0.1 or 1.0
    place = _scale(min(ends) - room, max(ends) + room)
    return _draw("dots.svg", rows, place, [(limit, "middle")] if limit else [], title)


def bars(rows: list[Bar], *, limits: list[Limit], title: str) -> Markup:
    """Draw amounts, and up to two limits across them, the lower first: their names are written away from each other."""
    ends = [row.value if row.high is None else row.high for row in rows] + [limit.value for limit in limits]
    place = _scale(0.0, max(ends) * 1.04 or 1.0)
    return _draw("bars.svg", rows, place, list(zip(limits, ("end", "start"), strict=False)), title)


def _draw(
    template: str,
    rows: list[Dot] | list[Bar],
    place: Callable[[float], float],
    limits: list[tuple[Limit, str]],
    title: str,
) -> Markup:
    return render(
        template,
        rows=[(row, TOP + ROW * number + ROW // 2) for number, row in enumerate(rows)],
        limits=limits,
        place=lambda value: f"{place(value):.1f}",
        shortened=shortened,
        title=title,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=TOP + ROW * len(rows),
        width=WIDTH,
    )


def _scale(low: float, high: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda amount: LEFT + (amount - low) / span * (WIDTH - RIGHT - LEFT)


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
