"""Small SVG charts for a page, coloured by the page's CSS classes, so that they follow light and dark mode.

Each is drawn for a wide and for a narrow screen, and the page shows one of them: scaled down, its text could not be
read.
"""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from fairway.report.render import render

LONGEST_NAME = 26
CHARACTER = 6.5  # width of a character in the name of a limit


@dataclass(frozen=True)
class _Layout:
    """Positions in a picture, in pixels. Marks go from `left` to `right`."""

    kind: str  # class that the page shows or hides
    width: int
    left: int
    right: int
    top: int
    row: int
    middle: int  # of a row, where its mark is
    name_at: tuple[int, int]  # from the left, and from the middle
    name_anchor: str


_WIDE = _Layout(
    "on-wide", width=720, left=190, right=630, top=26, row=30, middle=15, name_at=(178, 4), name_anchor="end"
)
_NARROW = _Layout(
    "on-narrow", width=350, left=6, right=274, top=40, row=48, middle=32, name_at=(0, -14), name_anchor="start"
)


@dataclass(frozen=True)
class Dot:
    """A value on a scale; `error` is drawn as a whisker each way."""

    name: str
    value: float
    error: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Bar:
    """An amount in dollars, with its range."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Limit:
    """A line from top to bottom, with its name above."""

    value: float
    name: str


def dots(rows: list[Dot], *, limit: Limit | None, title: str) -> Markup:
    """Draw values on one scale, and a limit across them."""
    ends = [row.value + way * (row.error or 0) for row in rows for way in (-1, 1)]
    ends += [limit.value] if limit else []
    room = (max(ends) - min(ends)) * 0.08 or abs(max(ends)) * 0.1 or 1.0
    ends = [min(ends) - room, max(ends) + room]
    return _draw("dots.svg", rows, ends, [(limit, "middle")] if limit else [], title)


def bars(rows: list[Bar], *, limits: list[Limit], title: str) -> Markup:
    """Draw amounts, and up to two limits across them, the lower first: their names are written away from each other."""
    ends = [row.value if row.high is None else row.high for row in rows] + [limit.value for limit in limits]
    ends = [0.0, max(ends) * 1.04 or 1.0]
    return _draw("bars.svg", rows, ends, list(zip(limits, ("end", "start"), strict=False)), title)


def _draw(
    template: str, rows: list[Dot] | list[Bar], ends: list[float], limits: list[tuple[Limit, str]], title: str
) -> Markup:
    """Draw both pictures of a scale from `ends[0]` to `ends[1]`."""
    return Markup("").join(_picture(layout, template, rows, ends, limits, title) for layout in (_WIDE, _NARROW))


def _picture(
    layout: _Layout,
    template: str,
    rows: list[Dot] | list[Bar],
    ends: list[float],
    limits: list[tuple[Limit, str]],
    title: str,
) -> Markup:
    place = _scale(layout, *ends)
    return render(
        template,
        rows=[(row, layout.top + layout.row * number + layout.middle) for number, row in enumerate(rows)],
        limits=_named(layout, [(limit, place(limit.value), anchor) for limit, anchor in limits]),
        place=lambda value: f"{place(value):.1f}",
        shortened=shortened,
        title=title,
        layout=layout,
        bottom=layout.top + layout.row * len(rows),
    )


def _named(layout: _Layout, limits: list[tuple[Limit, float, str]]) -> list[tuple[Limit, str, int]]:
    """Return each limit, the anchor with which its name fits, and the height of the name, which has its own line in a
    narrow picture.
    """
    if layout is _WIDE:
        return [(limit, anchor, layout.top - 11) for limit, _, anchor in limits]
    return [
        (limit, _anchor(layout, at, CHARACTER * len(limit.name)), layout.top - 11 - 14 * number)
        for number, (limit, at, _) in enumerate(limits)
    ]


def _anchor(layout: _Layout, at: float, length: float) -> str:
    if at - length / 2 < 0:
        return "start"
    return "end" if at + length / 2 > layout.width else "middle"


def _scale(layout: _Layout, low: float, high: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda amount: layout.left + (amount - low) / span * (layout.right - layout.left)


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
