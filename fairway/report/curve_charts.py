"""Curves as small charts: lines in a square with scales, and their names below."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from domain.train.curves import Points
from fairway.report.charts import shortened
from fairway.report.render import render

WIDTH, SIDE, LEFT, TOP, LINE = 360, 300, 50, 10, 20
LOOKS = 6  # line styles in style.css
TICKS = 4  # spans between them


@dataclass(frozen=True)
class Line:
    """A line; the same `look` has the same colour and dashes in every chart of a page."""

    name: str
    points: Points
    look: int = 0
    strong: bool = False


@dataclass(frozen=True)
class Axis:
    name: str
    low: float = 0.0
    high: float = 1.0

    def ticks(self) -> list[float]:
        return [self.low + (self.high - self.low) * number / TICKS for number in range(TICKS + 1)]

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def lines(rows: Sequence[Line], *, x: Axis, y: Axis, title: str, diagonal: bool = False) -> Markup:
    """Draw lines; `diagonal` adds the line of chance, or of perfect calibration."""
    return render(
        "curves.svg",
        rows=[(row, row.look % LOOKS, TOP + SIDE + 54 + LINE * number) for number, row in enumerate(rows)],
        path=_path(x, y),
        across=lambda value: f"{_across(x, value):.1f}",
        up=lambda value: f"{_up(y, value):.1f}",
        x=x,
        y=y,
        title=title,
        diagonal=diagonal,
        shortened=shortened,
        left=LEFT,
        top=TOP,
        side=SIDE,
        width=WIDTH,
        height=TOP + SIDE + 58 + LINE * len(rows),
    )


def axis_over(name: str, values: Sequence[float]) -> Axis:
    """Make an axis that contains the values with some margin."""
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return Axis(name, low - room, high + room)


def _path(x: Axis, y: Axis) -> Callable[[Points], str]:
    return lambda points: " ".join(f"{_across(x, at):.1f},{_up(y, value):.1f}" for at, value in points)


def _across(x: Axis, value: float) -> float:
    return LEFT + SIDE * x.share(value)


def _up(y: Axis, value: float) -> float:
    return TOP + SIDE * (1 - y.share(value))
