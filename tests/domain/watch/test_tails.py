"""Tails in the standard library, held to scipy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from domain.watch.tails import binomial_at_most, noncentral_chi_square


@pytest.mark.parametrize(("x", "noncentrality", "tail"), [(20, 5, 0.159123), (30, 5, 0.016234), (40, 8, 0.005004)])
def test_the_tail_of_a_noncentral_chi_square_is_exact(x, noncentrality, tail):
    """Sankaran's normal approximation has .158329, .016324 and .005123 here."""
    assert noncentral_chi_square(x, 9, noncentrality) == pytest.approx(tail, rel=1e-4)


@given(st.floats(0.01, 400), st.integers(1, 60), st.floats(0.001, 200))
def test_it_is_that_of_scipy(x, degrees, noncentrality):
    expected = stats.ncx2.sf(x, degrees, noncentrality)
    assert noncentral_chi_square(x, degrees, noncentrality) == pytest.approx(expected, rel=1e-6, abs=1e-13)


@given(st.floats(0, 300), st.integers(1, 60))
def test_without_noncentrality_it_is_that_of_a_chi_square(x, degrees):
    assert noncentral_chi_square(x, degrees, 0.0) == pytest.approx(stats.chi2.sf(x, degrees), rel=1e-9, abs=1e-300)


def test_far_tails_and_large_noncentralities_stay_within_bounds():
    assert noncentral_chi_square(1e6, 9, 4.0) == 0.0
    assert noncentral_chi_square(1.0, 9, 50_000.0) == pytest.approx(1.0)
    assert noncentral_chi_square(51_000.0, 9, 50_000.0) == pytest.approx(stats.ncx2.sf(51_000, 9, 50_000), rel=1e-6)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.001, 0.999))
def test_the_tail_of_a_binomial_is_that_of_scipy(counted, chance):
    expected = stats.binom.cdf(*counted, chance)
    assert binomial_at_most(*counted, chance) == pytest.approx(expected, rel=1e-7, abs=1e-14)
