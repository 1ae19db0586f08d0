import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.train.credibility import Sums, credible_means


def sums_of(values: list[float]) -> Sums:
    return Sums(len(values), sum(values), sum(value * value for value in values))


def drawn(rows: int, segments: int, seed: int) -> tuple[dict[str, float], dict[str, Sums]]:
    """Segments whose rates are Beta(2, 8): the rate of each, and its rows."""
    draw = random.Random(seed)
    rates = {str(number): draw.betavariate(2, 8) for number in range(segments)}
    return rates, {name: sums_of([float(draw.random() < rate) for _ in range(rows)]) for name, rate in rates.items()}


@pytest.mark.parametrize(("rows", "prior", "own", "credible"), [(5, 0.12, 0.171, 0.098), (50, 0.12, 0.049, 0.049)])
def test_a_segment_is_known_better_than_by_its_own_rows_or_by_all_rows_alone(rows, prior, own, credible):
    rates, sums = drawn(rows, 4000, seed=rows)
    everybody = sum(each.total for each in sums.values()) / (4000 * rows)
    means = credible_means(sums)
    assert _error(rates, dict.fromkeys(rates, everybody)) == pytest.approx(prior, abs=0.004)
    assert _error(rates, {name: each.total / each.rows for name, each in sums.items()}) == pytest.approx(own, abs=0.005)
    assert _error(rates, means) == pytest.approx(credible, abs=0.004)


def _error(rates: dict[str, float], means: dict[str, float]) -> float:
    return statistics.fmean((means[name] - rate) ** 2 for name, rate in rates.items()) ** 0.5


def test_the_rows_that_count_half_are_those_of_the_distribution():
    """Of Beta(2, 8) they are 10: with 10 rows a segment lies half way between its own mean and that of all."""
    _, sums = drawn(5, 20_000, seed=3)
    means = credible_means(sums)
    everybody = sum(each.total for each in sums.values()) / 100_000
    name = next(name for name, each in sums.items() if each.total == 3)
    weight = (means[name] - everybody) / (0.6 - everybody)
    assert 5 / weight - 5 == pytest.approx(10, abs=0.7)


def test_segments_that_do_not_differ_beyond_chance_have_the_mean_of_all():
    assert credible_means({"a": Sums(4, 2, 2), "b": Sums(4, 2, 2)}) == {"a": 0.5, "b": 0.5}
    assert credible_means({"a": Sums(1, 1, 1), "b": Sums(1, 0, 0)}) == {"a": 0.5, "b": 0.5}
    assert credible_means({"a": Sums(3, 6.0, 14.0)}) == {"a": 2.0}


SEGMENTS = st.dictionaries(
    st.text(max_size=3), st.lists(st.floats(-100, 100), min_size=1, max_size=9).map(sums_of), min_size=1, max_size=9
)


@given(SEGMENTS)
def test_a_mean_lies_between_that_of_the_segment_and_that_of_all_rows(segments):
    everybody = sum(each.total for each in segments.values()) / sum(each.rows for each in segments.values())
    for name, mean in credible_means(segments).items():
        own = segments[name].total / segments[name].rows
        assert min(own, everybody) - 1e-6 <= mean <= max(own, everybody) + 1e-6
