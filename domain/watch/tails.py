"""Tails of distributions for the rules of watching, in the standard library."""

import math

_FAR = 12.0  # standard deviations beyond which a Poisson weight is below 1e-30
_CLOSE = 1e-16
_STEPS = 10_000


def noncentral_chi_square(x: float, degrees: int, noncentrality: float) -> float:
    """Return P(X >= x): chi-squares with degrees + 2j, weighted by a Poisson of mean noncentrality / 2.

    Accurate to about 12 digits; a normal approximation (Sankaran, 1959) is off by percents in the relevant tails.
    """
    if x / 2 <= 0:  # also for the smallest float, which cannot be halved
        return 1.0
    mean = noncentrality / 2
    room = _FAR * (math.sqrt(mean) + 1)
    first, last = max(0, math.floor(mean - room)), math.ceil(mean + room)
    a, tail, total = degrees / 2 + first, _upper_gamma(degrees / 2 + first, x / 2), 0.0
    for number in range(first, last + 1):
        weight = _poisson(number, mean)
        total += weight * tail
        if number > mean and weight < total * _CLOSE:
            break
        tail += math.exp(a * math.log(x / 2) - x / 2 - math.lgamma(a + 1))
        a += 1
    return min(total, 1.0)


def binomial_at_most(successes: int, trials: int, chance: float) -> float:
    """Return P(X <= successes)."""
    if successes >= trials or chance <= 0:
        return 1.0
    return 0.0 if chance >= 1 else _beta_share(1 - chance, trials - successes, successes + 1)


def _poisson(number: int, mean: float) -> float:
    if mean == 0:
        return float(number == 0)
    return math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))


def _upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(a, x)."""
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        return 1.0 - front * _lower_series(a, x)
    return front * _gamma_fraction(a, x)


def _lower_series(a: float, x: float) -> float:
    term = total = 1 / a
    for step in range(1, _STEPS):
        term *= x / (a + step)
        total += term
        if term < total * _CLOSE:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    """Evaluate Legendre's continued fraction by Lentz's method."""
    b = x + 1 - a
    c, d = math.inf, 1 / b
    value = d
    for step in range(1, _STEPS):
        an, b = -step * (step - a), b + 2
        d = 1 / (an * d + b)
        c = b + an / c
        value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return value


def _beta_share(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction by Lentz's method."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / (1 + even * d), 1 + even / c
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / (1 + odd * d), 1 + odd / c
        value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return value
