"""The windows of a stage for its report: how often the answers were wrong, beside what they were at release."""

from datetime import date

from markupsafe import Markup

from domain.watch.verdict import WindowItem
from fairway.report.curve_charts import Axis, Line, lines

FEWEST = 2  # windows with outcomes that a line is drawn through


def wrong_chart(windows: list[WindowItem], at_release: float | None) -> Markup | None:
    """Draw the share of wrong answers by window; None while too few windows have outcomes."""
    known = [(item["run"], _wrong(item)) for item in windows]
    points = [(window, share) for window, share in known if share is not None]
    if len(points) < FEWEST:
        return None
    first = date.fromisoformat(points[0][0])
    placed = [(float((date.fromisoformat(window) - first).days), 100 * share) for window, share in points]
    rows = [Line("by outcomes", placed, strong=True)]
    if at_release is not None:
        rows.append(Line("at release", [(at, 100 * at_release) for at, _ in placed], look=1))
    most = max(share for row in rows for _, share in row.points)
    x, y = Axis(f"days since {first}", 0.0, placed[-1][0]), Axis("wrong answers, %", 0.0, max(most * 1.1, 1.0))
    return lines(rows, x=x, y=y, title="Wrong answers by window")


def wrong_at_release(decisions: dict[str, int] | None) -> float | None:
    """Return the share of wrong decisions on the held-out rows; None where there are no decisions."""
    if not decisions or not sum(decisions.values()):
        return None
    return (decisions["false_positive"] + decisions["false_negative"]) / sum(decisions.values())


def _wrong(item: WindowItem) -> float | None:
    outcomes = sum(one["outcomes"] for one in item["outcomes"].values())
    return sum(one["wrong"] for one in item["outcomes"].values()) / outcomes if outcomes else None
