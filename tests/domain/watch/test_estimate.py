"""Quality without outcomes: by the answers' own probabilities, and when nobody can know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Business
from domain.watch import estimate
from domain.watch.estimate import Scored, Truth
from domain.watch.happened import SPANS, Happened

VALUES = Business(true_positive_usd=40.0, false_positive_usd=-12.0, false_negative_usd=-25.0)


def test_decisions_are_added_up_as_they_are_expected():
    pairs = zip((0.95, 0.7, 0.4, 0.1, 0.55), (0.9, 0.8, 0.3, 0.2, 0.6), strict=True)
    found = estimate.expected([Scored(score, p, 1, score >= 0.5) for score, p in pairs])
    cells = {"true_positive": 2.3, "false_positive": 0.7, "true_negative": 1.5, "false_negative": 0.5}
    assert found.cells == pytest.approx(cells)
    assert (found.accuracy, found.standard_error) == (pytest.approx(0.76), pytest.approx(0.1855, abs=5e-5))
    assert found.roc_auc == pytest.approx(0.808442, rel=1e-5)
    assert estimate.value_usd(found.cells, VALUES) == pytest.approx(14.22)


def test_where_one_class_alone_is_expected_there_is_no_ranking():
    assert estimate.expected([Scored(0.1, 0.0, 5, False), Scored(0.9, 0.0, 5, True)]).roc_auc is None


def outcomes(window: str = "2013-04-01", **spans: tuple[int, int]) -> Happened:
    """Outcomes by span, (positive, negative): s5=(1, 9)."""
    sums: dict[str, float] = {"outcomes": sum(map(sum, spans.values()))}
    for span, (hits, rest) in spans.items():
        sums |= {f"happened_{span[1:]}": hits, f"not_{span[1:]}": rest}
    return Happened(window, sums)


def test_a_calibration_never_falls_and_fills_spans_without_outcomes_from_below():
    shares = estimate.calibrate(outcomes(s2=(1, 9), s5=(6, 4), s6=(2, 8), s9=(9, 1)))
    assert shares[:10] == pytest.approx([0.1] * 5 + [0.4] * 4 + [0.9])
    assert set(shares[10:]) == {0.9} and len(shares) == SPANS


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=SPANS, max_size=SPANS))
def test_a_calibration_is_monotone_and_right_on_the_whole(counted):
    shares = estimate.calibrate(outcomes(**{f"s{span}": pair for span, pair in enumerate(counted)}))
    assert shares == sorted(shares)
    rows = [hits + rest for hits, rest in counted]
    if any(rows):
        expected = sum(share * many for share, many in zip(shares, rows, strict=True))
        assert expected == pytest.approx(sum(hits for hits, _ in counted))


def release(**values) -> dict:
    """Counts of a window like the reference."""
    labels = ["low", "high", "unseen", "missing"]
    column = {"labels": labels, "ordered": 2, "reference": [500, 500, 0, 0], "window": [50, 50, 0, 0]}
    yes, no = [0] * SPANS, [0] * SPANS
    yes[45], no[5] = 40, 60
    counted = {"rows": 100, "features": {"x": column}, "prediction": column, "scores": {"yes": yes, "no": no}}
    return {**counted, "fallbacks": {}, "latency_ms": None, **values}


KNOWN = outcomes(s5=(20, 180), s45=(80, 20))


def estimated(counted: dict, *windows: Happened, last: Truth | None = None):
    return estimate.estimate(counted, windows or (KNOWN,), business=VALUES, last=last)


def test_an_estimate_rests_on_the_newest_outcomes():
    found = estimated(release())
    assert found == {
        "accuracy": 0.86,
        "standard_error": pytest.approx((40 * 0.16 + 60 * 0.09) ** 0.5 / 100, abs=1e-6),
        "roc_auc": pytest.approx((6 * 54 / 2 + 32 * (54 + 8 / 2)) / (38 * 62), abs=1e-6),
        "value_usd": pytest.approx((32 * 40 - 8 * 12 - 6 * 25) / 100),
        "calibrated_on": 300,
    }
    many = Happened("2013-04-02", {name: 10 * number for name, number in KNOWN.sums.items()})
    assert estimated(release(), outcomes(s5=(100, 0), s45=(0, 100)), many)["calibrated_on"] == 3_000


def moved(window: list[int]) -> dict:
    return {
        "labels": ["low", "high", "unseen", "missing"],
        "ordered": 2,
        "reference": [500, 500, 0, 0],
        "window": window,
    }


@pytest.mark.parametrize(
    ("counted", "why"),
    [
        (release(prediction=moved([95, 5, 0, 0])), "the answers moved (PSI 1.34, at most 0.25)"),
        (
            release(prediction=moved([10, 10, 80, 0])),
            "only 0.1 % of the release's rows are like the answers of the window",
        ),
        (release(features={"x": moved([47, 47, 6, 0])}), "x: 6.0 % of rows have values that were not there at release"),
    ],
)
def test_a_window_unlike_the_rows_of_the_release_is_not_estimated(counted, why):
    assert estimated(counted) == {"refused": why}


def test_few_outcomes_and_an_estimate_that_missed_are_no_ground():
    assert estimated(release(), outcomes(s5=(10, 90))) == {"refused": "100 outcomes to calibrate on, 200 are needed"}
    guess = {"accuracy": 0.86, "standard_error": 0.01, "calibrated_on": 2_000}
    assert estimated(release(), last=Truth(guess, wrong=140, outcomes=700)) == {
        "refused": "the last estimate was 86.0 % right answers, outcomes said 80.0 %"
    }
    assert "refused" not in estimated(release(), last=Truth(guess, wrong=110, outcomes=700))


def test_answers_without_probabilities_have_no_estimate():
    counted = release()
    del counted["scores"]
    assert estimated(counted) is None


def test_under_a_shift_of_the_rows_alone_it_is_within_a_point_and_a_half():
    """P(positive | score) stays; scores come from other rows, and the model is too sure of itself throughout."""
    draw = np.random.default_rng(7)
    errors = []
    for shift in (0.0, 0.3, 0.6, -0.3, -0.6):
        known, _ = scored_rows(draw, 0.0)
        window, truth = scored_rows(draw, shift)
        columns = release(prediction=moved([50, 50, 0, 0]), scores=window)
        errors.append(abs(estimated(columns, known_of(known))["accuracy"] - truth))
    assert np.mean(errors) < 0.015


def scored_rows(draw, shift: float) -> tuple[dict, float]:
    """Rows by span and decision, and the share of right decisions."""
    logits = draw.normal(-0.5 + shift, 1.5, 5_000)
    happened = draw.random(5_000) < 1 / (1 + np.exp(-logits))
    spans = np.minimum((SPANS / (1 + np.exp(-1.5 * logits))).astype(int), SPANS - 1)
    yes = logits >= 0
    counted = {"yes": np.bincount(spans[yes], minlength=SPANS).tolist()}
    counted |= {"no": np.bincount(spans[~yes], minlength=SPANS).tolist()}
    counted |= {"hits": np.bincount(spans[happened], minlength=SPANS).tolist()}
    return counted, float(np.mean(yes == happened))


def known_of(counted: dict) -> Happened:
    pairs = zip(counted["yes"], counted["no"], counted["hits"], strict=True)
    return outcomes(**{f"s{span}": (hits, yes + no - hits) for span, (yes, no, hits) in enumerate(pairs)})
