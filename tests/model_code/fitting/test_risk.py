import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.fitting.risk import in_windows, risk


def test_a_model_that_knows_where_it_is_weak_is_wrong_less_often_the_less_it_answers():
    random = np.random.default_rng(1)
    sureness = random.uniform(0.5, 1.0, 20_000)
    curve = risk(sureness, random.random(20_000) > sureness)
    assert curve["answered"] == pytest.approx([number / 20 for number in range(1, 21)], abs=0.001)
    assert curve["wrong"][0] < 0.04 and curve["wrong"][-1] == pytest.approx(0.25, abs=0.01)
    assert all(one < other + 0.01 for one, other in zip(curve["wrong"], curve["wrong"][1:], strict=False))
    assert all(worst is None or worst >= wrong for worst, wrong in zip(curve["worst"], curve["wrong"], strict=True))


def test_the_worst_window_shows_a_bad_week_that_the_average_hides():
    wrong = np.zeros(10_000, bool)
    wrong[4000:4400] = True
    curve = risk(np.linspace(1, 0.5, 10_000)[np.random.default_rng(2).permutation(10_000)], wrong)
    assert (curve["window"], curve["wrong"][-1], curve["worst"][-1]) == (500, 0.04, 0.8)


def test_equally_sure_rows_are_answered_together():
    curve = risk(np.repeat([0.9, 0.6], [300, 100]), np.repeat([False, True], [300, 100]))
    assert (curve["answered"], curve["wrong"]) == ([0.75, 1.0], [0.0, 0.25])


def test_of_too_few_answered_rows_in_a_window_nothing_is_said():
    curve = risk(np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, False, True, True]))
    assert (curve["wrong"], curve["worst"], curve["window"]) == ([0.0, 0.0, 1 / 3, 0.5], [None] * 4, 2)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.data())
def test_a_window_counts_its_own_rows(marked, data):
    window = data.draw(st.integers(1, len(marked)))
    expected = [sum(marked[at : at + window]) for at in range(len(marked) - window + 1)]
    assert in_windows(np.array(marked), window).tolist() == expected
