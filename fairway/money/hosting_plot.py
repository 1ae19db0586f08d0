"""Plot of the cost of hosting by traffic: one line for each option, with their crossings and the present usage."""

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

from domain.money.hosting import BreakEven, Comparison
from fairway.terminal.errors import Refused

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 180, 64, 64  # margins for the axes, and for the lines' names at their ends
COLOURS = ("#1f6fd0", "#c2571a", "#14836b")
LEAST_USD = 0.01
LABEL_PX = 17  # least distance of the names of lines that end close together
SUFFIXES = (".svg", ".html")


def write_plot(file: Path, comparison: Comparison, *, title: str, requests: float) -> None:
    """Write the plot; `found` is the result of domain/money/hosting.compare, `requests` a month the present usage."""
    if file.suffix.lower() not in SUFFIXES:
        raise Refused("plot", f"{file}: must end in {' or '.join(SUFFIXES)}")
    if not comparison["curve"]:
        raise Refused("plot", "nothing to plot: the usage profile has no requests; set requests_per_second in [usage]")
    picture = svg(comparison, title=title, requests=requests)
    file.write_text(picture if file.suffix.lower() == ".svg" else page(picture, title), encoding="utf-8")


def page(picture: str, title: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>body{{margin:2rem;background:#fff}}svg{{max-width:100%;height:auto}}</style></head><body>\n{picture}</body></html>\n"
    )


def svg(comparison: Comparison, *, title: str, requests: float) -> str:
    curve = comparison["curve"]
    names = [name for name in curve[0] if name != "requests"]
    x = Scale(*decades([point["requests"] for point in curve]), LEFT, WIDTH - RIGHT)
    y = Scale(*decades([max(point[name], LEAST_USD) for point in curve for name in names]), HEIGHT - BOTTOM, TOP)
    parts = [*grid(x, y), *here(x, requests)]
    ends = spread([y(max(curve[-1][name], LEAST_USD)) for name in names])
    for name, colour, end in zip(names, COLOURS, ends, strict=False):
        points = " ".join(f"{x(point['requests']):.1f},{y(max(point[name], LEAST_USD)):.1f}" for point in curve)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"/>'
        )
        parts.append(text(WIDTH - RIGHT + 8, end + 4, name, fill=colour, weight=600))
    for crossing in comparison["break_even"]:
        parts += _crossed(crossing, curve, x, y)
    said = "\n".join(parts)
    style = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:13px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" style="{style}">\n'
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f"{text(LEFT, 26, title, size=16, weight=600)}\n{said}\n</svg>\n"
    )


def decades(values: list[float]) -> tuple[int, int]:
    """Return the powers of ten around the values."""
    return math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis from the power of ten `first`, at `start`, to `last`, at `end`."""

    first: int
    last: int
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (math.log10(value) - self.first) / (self.last - self.first) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [10.0**exponent for exponent in range(self.first, self.last + 1)]


def grid(x: Scale, y: Scale) -> list[str]:
    parts = []
    for value in x.ticks:
        parts.append(
            f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#e6e6e6"/>'
        )
        parts.append(text(x(value), HEIGHT - BOTTOM + 20, short(value), anchor="middle", fill="#555"))
    for value in y.ticks:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e6e6e6"/>'
        )
        least = "≤ " if value <= LEAST_USD else ""
        parts.append(text(LEFT - 8, y(value) + 4, f"{least}${short(value)}", anchor="end", fill="#555"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, "requests a month", anchor="middle", fill="#555"))
    parts.append(text(LEFT, TOP - 12, "US dollars a month", fill="#555"))
    return parts


def here(x: Scale, requests: float) -> list[str]:
    """Mark the present usage, if it is within the plot."""
    if not x.ticks[0] <= requests <= x.ticks[-1]:
        return []
    at = f"{x(requests):.1f}"
    dashed = f'<line x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#333" stroke-dasharray="4 4"/>'
    return [dashed, text(x(requests) + 6, HEIGHT - BOTTOM - 10, f"now: {short(requests)}", fill="#333")]


def _crossed(crossing: BreakEven, curve: list[dict[str, float]], x: Scale, y: Scale) -> list[str]:
    if crossing["requests"] is None or not x.ticks[0] <= crossing["requests"] <= x.ticks[-1]:
        return []
    at, height = (
        x(crossing["requests"]),
        y(between(curve, crossing["below"], crossing["requests"])),
    )  # cost is proportional to use, so it is a straight line
    label = text(at - 9, height - 9, short(crossing["requests"]), anchor="end", fill="#333", weight=600)
    return [f'<circle cx="{at:.1f}" cy="{height:.1f}" r="5" fill="#fff" stroke="#333" stroke-width="2"/>', label]


def between(curve: list[dict[str, float]], name: str, requests: float) -> float:
    """Return the line's value there, interpolated as drawn."""
    after = next((n for n, point in enumerate(curve) if point["requests"] >= requests), len(curve) - 1)
    low, high = curve[max(after - 1, 0)], curve[after]
    if low is high:
        return max(high[name], LEAST_USD)
    share = math.log10(requests / low["requests"]) / math.log10(high["requests"] / low["requests"])
    return 10 ** sum(
        math.log10(max(point[name], LEAST_USD)) * part for point, part in ((low, 1 - share), (high, share))
    )


def spread(places: list[float]) -> list[float]:
    """Return positions in the same order, at least a line of text apart, from the top down."""
    places_by_number, last = dict.fromkeys(range(len(places)), 0.0), -math.inf
    for number in sorted(places_by_number, key=places.__getitem__):
        last = places_by_number[number] = max(places[number], last + LABEL_PX)
    return list(places_by_number.values())


def short(value: float) -> str:
    """Write 1,500,000 as 1.5M; 0.01 as 0.01."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    fill: str = "#222",
    size: int | None = None,
    weight: int | None = None,
) -> str:
    more = "".join(f' font-{name}="{value}"' for name, value in (("size", size), ("weight", weight)) if value)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{more}>{escape(words)}</text>'
