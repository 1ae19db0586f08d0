"""Small pictures in text, of characters that every terminal has."""

from collections.abc import Sequence

WIDTH = 41  # of an interval; odd, so that 0 has a place


def tenths(values: Sequence[float], top: float) -> str:
    """Draw each value as a digit, the tenths of the way to `top` that it has gone; # from there on."""
    return "".join("#" if value >= top else str(max(0, int(10 * value / top))) for value in values)


def interval(low: float, value: float, high: float, *, reach: float) -> str:
    """Draw an interval with its value, on a scale from -reach to reach with 0 in the middle."""

    def place(number: float) -> int:
        share = number / reach if reach else 0.0
        return round((min(1.0, max(-1.0, share)) + 1) / 2 * (WIDTH - 1))

    drawn = [" "] * WIDTH
    drawn[place(low) : place(high) + 1] = "-" * (place(high) - place(low) + 1)
    drawn[WIDTH // 2] = "|"
    drawn[place(value)] = "o"
    return "".join(drawn)
