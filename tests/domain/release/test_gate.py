from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import Benchmarks
from domain.release.gate import judge, release_name
from domain.release.tally import in_words

BENCHMARKS = Benchmarks(metric="roc_auc", quality=0.65, calibration_error=0.05, p99_ms=10.0, size_mb=20.0)
WINDOW = {
    "train_start": "2013-01-01T00:00:00Z",
    "evaluate_start": "2013-03-04T00:00:00Z",
    "as_of": "2013-04-01T00:00:00Z",
}

COVERAGE = {
    "first": "2013-03-04T00:00:00Z",
    "last": "2013-03-31T22:00:00Z",
    "age_days": 0.083333,
    "days": 28,
    "missing": [],
}


def measured(quality: float, *, metric="roc_auc", error=0.0, p99_ms=1.0, sha="aaaaaaaa", **values) -> dict:
    metrics = {metric: quality, "calibration_error": 0.01, **values.pop("metrics", {})}
    return {
        "metrics": metrics,
        "standard_error": error,
        "p50_ms": 0.5,
        "p99_ms": p99_ms,
        "size_mb": 1.0,
        "artefact_sha256": sha * 8,
        "model_uri": f"s3://lake/{sha}",
        **values,
    }


def champion(quality: float, *, sha="cccccccc", metric="roc_auc", gain_error=0.0) -> dict:
    errors = defaultdict(lambda: gain_error)  # the same for every candidate
    return {"release": "r-0", "metrics": {metric: quality}, "artefact_sha256": sha * 8, "gain_errors": errors}


def judged(
    champion=None, *, benchmarks=BENCHMARKS, baseline=0.5, coverage=COVERAGE, max_age_days=0, **candidates
) -> dict:
    evaluation = {
        "metric": benchmarks.metric,
        "threshold": 0.4,
        "rows": 12_345,
        "window": WINDOW,
        "coverage": coverage,
        "baseline": {benchmarks.metric: baseline},
        "candidates": candidates,
        "champion": champion,
    }
    return judge(benchmarks, evaluation, max_age_days=max_age_days)


def said(verdict: dict) -> tuple:
    return verdict["verdict"], verdict["candidate"], verdict["reason"]


def test_the_verdict_says_everything_that_a_release_is_known_by():
    counts = {"true_positive": 3000, "false_positive": 1000, "true_negative": 7345, "false_negative": 1000}
    assert judged(trees=measured(0.7, decisions=counts)) == {
        "verdict": "approved",
        "candidate": "trees",
        "release": "r-20130401-aaaaaaaa",
        "reason": "trees keeps every benchmark: roc_auc 0.7000 on 12,345 later rows, against 0.5000 of the "
        "prior, no champion yet; "
        "p99 1 ms, 1 MB",
        "why": "trees was the only candidate",
        "answers": in_words({"decisions": counts}, 0.4),
        "rates": {"precision": 0.75, "recall": 0.75},
        "threshold": 0.4,
        "metrics": {"roc_auc": 0.7, "calibration_error": 0.01},
        "p99_ms": 1.0,
        "size_mb": 1.0,
        "artefact_sha256": "aaaaaaaa" * 8,
        "model_uri": "s3://lake/aaaaaaaa",
        "decisions": counts,
        "rows": 12_345,
        "window": WINDOW,
        "coverage": COVERAGE,
        "tried": {"trees": []},
    }


def test_rows_of_a_table_without_event_time_are_not_called_later():
    assert (
        "roc_auc 0.7000 on 12,345 rows held out at random, against"
        in judged(trees=measured(0.7), coverage=None)["reason"]
    )


def test_rows_older_than_agreed_release_nothing_however_good_a_candidate_is():
    coverage = {**COVERAGE, "last": "2013-03-10T00:00:00Z", "age_days": 22.0}
    assert judged(trees=measured(0.7), coverage=coverage)["verdict"] == "approved"  # nothing was agreed
    verdict = judged(trees=measured(0.7), coverage=coverage, max_age_days=14)
    assert said(verdict)[:2] == ("rejected", "trees")
    assert verdict["reason"].startswith(
        "the newest row is from 2013-03-10T00:00:00Z, 22.0 days before 2013-04-01T00:00:00Z"
    )


def test_where_a_model_must_pay_for_itself_the_best_that_does_is_taken():
    evaluation = {
        "metric": "roc_auc",
        "threshold": 0.4,
        "rows": 12_345,
        "window": WINDOW,
        "coverage": COVERAGE,
        "baseline": {"roc_auc": 0.5},
        "champion": None,
        "candidates": {"trees": measured(0.7), "line": measured(0.69)},
    }
    loses, unsure, pays = ({"positive": positive, "sentence": f"It is {positive}."} for positive in (False, None, True))
    assert judge(BENCHMARKS, evaluation, worth={"trees": loses, "line": pays})["candidate"] == "line"
    for worth in (loses, unsure):
        assert said(judge(BENCHMARKS, evaluation, worth={"trees": worth, "line": worth})) == (
            "rejected",
            "trees",
            (f"trees: value not shown to exceed cost (required by budget.require_positive_value). {worth['sentence']}"),
        )


@pytest.mark.parametrize(
    ("candidate", "breach"),
    [
        (measured(0.64), "roc_auc 0.6400, at least 0.65 was agreed"),
        (measured(0.7, metrics={"calibration_error": 0.06}), "calibration error 0.06, at most 0.05 was agreed"),
        (
            measured(0.7, metrics={"calibration_error": 0.16}, calibration_by_chance=0.15),
            "calibration error 0.16, at most 0.05 was agreed, and chance explains at most 0.15",
        ),
        (measured(0.7, p99_ms=10.5), "p99 10.5 ms, at most 10.0 ms was agreed"),
        (measured(0.7, size_mb=21), "size 21 MB, at most 20.0 MB was agreed"),
        (measured(0.6, p99_ms=99), "roc_auc 0.6000, at least 0.65 was agreed; p99 99 ms, at most 10.0 ms was agreed"),
    ],
)
def test_a_candidate_that_breaks_a_benchmark_is_rejected_with_each_that_it_breaks(candidate, breach):
    assert said(judged(trees=candidate)) == (
        "rejected",
        "trees",
        f"no candidate keeps the benchmarks; the best, trees: {breach}",
    )


def test_exactly_the_benchmark_keeps_it():
    assert (
        judged(trees=measured(0.65, metrics={"calibration_error": 0.05}, p99_ms=10.0, size_mb=20.0))["verdict"]
        == "approved"
    )


def test_a_calibration_error_that_chance_makes_at_so_few_rows_is_not_a_breach_and_is_mentioned():
    few = judged(trees=measured(0.7, metrics={"calibration_error": 0.14}, calibration_by_chance=0.15))
    assert few["verdict"] == "approved"
    assert few["reason"].endswith("calibration error 0.14, above the 0.05 that was agreed but within chance (0.15)")


def test_a_better_candidate_that_is_too_slow_loses_to_one_that_keeps_the_benchmarks():
    verdict = judged(forest=measured(0.9, p99_ms=50), line=measured(0.66))
    assert (verdict["verdict"], verdict["candidate"]) == ("approved", "line")
    assert verdict["tried"] == {"forest": ["p99 50 ms, at most 10.0 ms was agreed"], "line": []}


def test_of_candidates_that_are_equally_good_the_fastest_is_taken():
    trees, line = measured(0.70, error=0.01, p99_ms=5.0), measured(0.695, p99_ms=1.0)
    assert judged(trees=trees, line=line)["candidate"] == "line"
    assert judged(trees=trees, line=measured(0.689, p99_ms=1.0))["candidate"] == "trees"


def test_of_each_other_candidate_it_is_told_why_it_was_not_taken():
    tried = {
        "trees": measured(0.70, error=0.01, p99_ms=5.0),
        "line": measured(0.695, p99_ms=1.0),
        "stump": measured(0.66, p99_ms=0.5),
        "deep": measured(0.9, p99_ms=50),
        "prior": measured(0.65),
    }
    assert judged(baseline=0.65, **tried)["why"] == (
        "of 5 candidates, line was chosen: trees has roc_auc 0.7000, 0.0050 ahead, which is within a standard error of "
        "the best (0.0100), and is slower (p99 5 ms against 1 ms); stump has roc_auc 0.6600, 0.0350 behind; "
        "deep is excluded (p99 50 ms, at most 10.0 ms was agreed); "
        "prior is excluded (has roc_auc 0.6500, no better than answering with the prior (0.6500))"
    )


def test_a_candidate_no_better_than_the_prior_is_not_worth_serving():
    free = Benchmarks(metric="roc_auc", quality=0.0)
    verdict = judged(benchmarks=free, line=measured(0.5))
    assert said(verdict) == (
        "rejected",
        "line",
        "line has roc_auc 0.5000, no better than answering with the prior (0.5000)",
    )


def test_the_champion_is_compared_on_the_same_rows():
    assert said(judged(champion(0.71), trees=measured(0.7))) == (
        "rejected",
        "trees",
        (
            "trees has roc_auc 0.7000 against 0.7100 of the champion r-0 on the same 12,345 rows; a "
            "gain of -0.0100 does not exceed its standard error, 0.0000"
        ),
    )
    assert said(judged(champion(0.69), trees=measured(0.7)))[::2] == (
        "approved",
        (
            "trees keeps every benchmark: roc_auc 0.7000 on 12,345 later rows, +0.0100 (standard error 0.0000) "
            "better than the champion r-0; p99 1 ms, 1 MB"
        ),
    )


def test_a_gain_that_chance_explains_releases_nothing_and_both_numbers_are_given():
    verdict = judged(champion(0.6950, gain_error=0.0062), trees=measured(0.7))
    assert said(verdict) == (
        "rejected",
        "trees",
        (
            "trees has roc_auc 0.7000 against 0.6950 of the champion r-0 on the same 12,345 rows; a gain of +0.0050 "
            "does not exceed its standard error, 0.0062"
        ),
    )
    assert judged(champion(0.6950, gain_error=0.0049), trees=measured(0.7))["verdict"] == "approved"


def test_one_whose_gain_is_sure_is_released_where_a_better_one_is_not_sure():
    current = {**champion(0.69), "gain_errors": {"trees": 0.03, "line": 0.001}}
    verdict = judged(current, trees=measured(0.71), line=measured(0.70, sha="bbbbbbbb"))
    assert (verdict["verdict"], verdict["candidate"]) == ("approved", "line")


def test_the_agreed_gain_must_be_reached():
    strict = Benchmarks(metric="roc_auc", gain=0.02)
    assert judged(champion(0.69), benchmarks=strict, trees=measured(0.7))["verdict"] == "rejected"
    assert judged(champion(0.67), benchmarks=strict, trees=measured(0.7))["verdict"] == "approved"


def test_one_that_beats_the_champion_is_not_given_up_for_a_faster_one_that_does_not():
    trees, line = measured(0.71, error=0.02, p99_ms=5.0), measured(0.695, p99_ms=1.0, sha="bbbbbbbb")
    verdict = judged(champion(0.70), trees=trees, line=line)
    assert (verdict["verdict"], verdict["candidate"]) == ("approved", "trees")


def test_the_very_same_artefact_is_not_released_twice():
    reason = "trees is identical to the current champion r-0"
    assert said(judged(champion(0.7, sha="aaaaaaaa"), trees=measured(0.7))) == ("rejected", "trees", reason)


def test_where_smaller_is_better_everything_turns_round():
    loss = Benchmarks(metric="log_loss", quality=0.5)
    better, worse = measured(0.45, metric="log_loss"), measured(0.49, metric="log_loss", sha="bbbbbbbb")
    verdict = judged(champion(0.48, metric="log_loss"), benchmarks=loss, baseline=0.55, better=better, worse=worse)
    assert (verdict["verdict"], verdict["candidate"]) == ("approved", "better")
    verdict = judged(benchmarks=loss, baseline=0.55, bad=measured(0.51, metric="log_loss"))
    assert verdict["tried"] == {"bad": ["log_loss 0.5100, at most 0.5 was agreed"]}


qualities = st.floats(0.0, 1.0).map(lambda value: round(value, 4))
candidates = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.builds(
        lambda quality, error, p99_ms, size_mb, calibration: measured(
            quality, error=error, p99_ms=p99_ms, size_mb=size_mb, metrics={"calibration_error": calibration}
        ),
        qualities,
        st.floats(0, 0.05),
        st.floats(0.1, 20),
        st.floats(0.1, 40),
        st.floats(0, 0.1),
    ),
    min_size=1,
)


champions = st.none() | st.builds(
    lambda quality, errors: {**champion(quality), "gain_errors": dict(zip("abc", errors, strict=True))},
    qualities,
    st.lists(st.floats(0, 0.1), min_size=3, max_size=3),
)


def is_sure(name: str, measured: dict, current: dict | None, metric: str = "roc_auc") -> bool:
    """Whether a candidate is better than the champion by more than the gain's standard error."""
    if current is None:
        return True
    return measured["metrics"][metric] - current["metrics"][metric] > current["gain_errors"][name]


@given(candidates, champions, qualities)
def test_whatever_was_measured_only_what_keeps_every_agreement_is_approved(candidates, current, baseline):
    verdict = judged(current, baseline=baseline, **candidates)
    chosen = candidates[verdict["candidate"]]
    keeps = (
        chosen["metrics"]["roc_auc"] >= 0.65
        and chosen["metrics"]["calibration_error"] <= 0.05
        and chosen["p99_ms"] <= 10
        and chosen["size_mb"] <= 20
        and chosen["metrics"]["roc_auc"] > baseline
        and is_sure(verdict["candidate"], chosen, current)
    )
    if verdict["verdict"] == "approved":
        assert keeps
    assert verdict["reason"]
    assert verdict["tried"].keys() == candidates.keys()


@given(candidates, champions)
def test_nothing_that_may_be_released_is_missed(candidates, current):
    free = Benchmarks(metric="roc_auc", calibration_error=1.0, p99_ms=1e9, size_mb=1e9)
    verdict = judged(current, benchmarks=free, baseline=0.5, **candidates)
    may = [name for name, one in candidates.items() if one["metrics"]["roc_auc"] > 0.5 and is_sure(name, one, current)]
    assert (verdict["verdict"] == "approved") is bool(may)


@given(candidates, champions, st.floats(0, 0.1))
def test_a_surer_measurement_never_takes_an_approval_away(candidates, current, shrunk):
    if current is None or judged(current, **candidates)["verdict"] != "approved":
        return
    surer = {name: min(error, shrunk) for name, error in current["gain_errors"].items()}
    assert judged({**current, "gain_errors": surer}, **candidates)["verdict"] == "approved"


def test_a_release_is_named_by_what_it_knows_and_what_it_is():
    assert release_name("2013-04-01T00:00:00Z", "0123456789abcdef") == "r-20130401-01234567"
