"""Small pictures for a page: SVG whose colours are the page's own, by CSS class, so that they follow light and dark."""

from collections.abc import Callable
from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP = 720, 30, 190, 90, 26


def dots(rows: list[dict], *, limit: float | None, limit_name: str, title: str) -> str:
    """Values on one scale: rows {name, value, error?, strong?}; `error` is drawn as a whisker each way, `limit` as a
    line.
    """
    ends = [row["value"] + way * (row.get("error") or 0) for row in rows for way in (-1, 1)] + (
        [limit] if limit is not None else []
    )
    room = (max(ends) - min(ends)) * 0.08 or abs(max(ends)) * 0.1 or 1.0
    place = _scale(min(ends) - room, max(ends) + room)
    parts = _line_at(place(limit), limit_name, len(rows), "middle") if limit is not None else []
    for number, row in enumerate(rows):
        at, error, y = place(row["value"]), row.get("error"), _middle(number)
        strong = " strong" if row.get("strong") else ""
        parts.append(_label(row["name"], y, strong))
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        if error:
            low, high = place(row["value"] - error), place(row["value"] + error)
            parts.append(f'<line class="whisker{strong}" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class="dot{strong}" cx="{at:.1f}" cy="{y}" r="5"/>')
        parts.append(_value(f"{row['value']:.4f}", y, strong))
    return _svg(parts, len(rows), title)


def bars(rows: list[dict], *, lines: list[tuple[float, str]], title: str) -> str:
    """Amounts in dollars: rows {name, value, low?, high?, strong?}; `lines` are up to two (value, name) across all, the
    lower first: their names are written away from each other.
    """
    most = max([row.get("high", row["value"]) for row in rows] + [at for at, _ in lines]) * 1.04 or 1.0
    place = _scale(0.0, most)
    parts = []
    for number, row in enumerate(rows):
        y, strong = _middle(number), " strong" if row.get("strong") else ""
        width = max(place(row["value"]) - LEFT, 0.0)
        parts.append(_label(row["name"], y, strong))
        parts.append(f'<rect class="bar{strong}" x="{LEFT}" y="{y - 9}" width="{width:.1f}" height="18" rx="2"/>')
        if "low" in row:
            low, high = place(row["low"]), place(row["high"])
            parts.append(f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(_value(f"${row['value']:,.2f}", y, strong))
    for (at, name), anchor in zip(lines, ("end", "start"), strict=False):
        parts += _line_at(place(at), name, len(rows), anchor)
    return _svg(parts, len(rows), title)


def _scale(low: float, high: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda amount: LEFT + (amount - low) / span * (WIDTH - RIGHT - LEFT)


def _middle(number: int) -> int:
    return TOP + ROW * number + ROW // 2


def _label(name: str, y: int, strong: str) -> str:
    return f'<text class="name{strong}" x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(_shortened(name))}</text>'


def _shortened(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _value(words: str, y: int, strong: str) -> str:
    return f'<text class="value{strong}" x="{WIDTH}" y="{y + 4}" text-anchor="end">{escape(words)}</text>'


def _line_at(x: float, name: str, rows: int, anchor: str) -> list[str]:
    """A limit from top to bottom, named above it."""
    return [
        f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{TOP + ROW * rows}"/>',
        f'<text class="limit-name" x="{x:.1f}" y="{TOP - 11}" text-anchor="{anchor}">{escape(name)}</text>',
    ]


def _svg(parts: list[str], rows: int, title: str) -> str:
    said = "\n".join(parts)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {TOP + ROW * rows + 6}" '
        f'role="img"><title>{escape(title)}</title>\n{said}\n</svg>'
    )
