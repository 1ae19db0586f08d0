"""The benchmark of experiments says how often a difference was found, and whether that holds."""

import pytest

from bench.experiments import Tally, Trial, decided, line, spending, tally, yes

ALIKE = decided("conversion", yes(0.2), yes(0.2), share=0.5, users=2_000)


def test_a_large_difference_is_found_in_every_run_and_in_its_direction():
    better = Trial("more", decided("conversion", yes(0.1), yes(0.4), share=0.5, users=2_000), least_power=0.85)
    worse = Trial("less", decided("conversion", yes(0.4), yes(0.1), share=0.5, users=2_000), least_power=0.85)
    assert (tally(better, 5).better, tally(worse, 5).worse) == (1.0, 1.0)


def test_the_same_seeds_give_the_same_result():
    for trial in (Trial("alike", ALIKE, 0.05), Trial("spent", spending(share=0.5, users=5_000), 0.05)):
        assert tally(trial, 5) == tally(trial, 5)


@pytest.mark.parametrize(
    ("held", "better", "worse", "holds"),
    [
        ({"most_false": 0.05}, 0.02, 0.03, "holds"),
        ({"most_false": 0.05}, 0.03, 0.03, "BROKEN"),
        ({"least_power": 0.85}, 0.85, 0.0, "holds"),
        ({"least_power": 0.85}, 0.5, 0.4, "BROKEN"),
    ],
)
def test_a_figure_beyond_its_limit_is_broken(held, better, worse, holds):
    assert line(Tally(Trial("a trial", ALIKE, **held), better, worse, 2_000)).endswith(holds)
