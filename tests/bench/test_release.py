"""The benchmark of the rollout's rules says how often and how soon a stream went back, and whether that holds."""

import pytest

from bench.release import Result, Scenario, failing, line, result


def test_a_canary_that_always_fails_goes_back_at_the_first_look_in_every_run():
    scenario = Scenario("fails", failing(1.0, 0.0), median_rows=200)
    assert result(scenario, 5) == Result(scenario, back=1.0, median_rows=100)


def test_the_same_seeds_give_the_same_result():
    scenario = Scenario("fails 5 %", failing(0.05, 0.005, rows=2_000), median_rows=2_000)
    assert result(scenario, 10) == result(scenario, 10)


@pytest.mark.parametrize(
    ("held", "back", "median", "holds"),
    [
        ({"most_back": 0.01}, 0.01, 900, "holds"),
        ({"most_back": 0.01}, 0.02, 900, "BROKEN"),
        ({"median_rows": 200}, 1.0, 300, "BROKEN"),
        ({"median_rows": 200}, 0.4, 100, "BROKEN"),  # soon, but most runs never
        ({"median_rows": 200}, 0.9, 200, "holds"),
    ],
)
def test_a_figure_beyond_its_limit_is_broken(held, back, median, holds):
    told = line(Result(Scenario("a scenario", failing(0, 0), **held), back, median))
    assert told.endswith(holds)
