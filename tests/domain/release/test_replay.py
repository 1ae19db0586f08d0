"""What a replay leads to, and how it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.replay import Limits, in_words, judged, worst

LIMITS = Limits(flips_percent=20.0, p99_ms=50.0)
NOTHING_KNOWN = {"outcomes": 0, "candidate_right": 0, "value_usd": None, "log_e": 0.0}
COUNTED = {
    "release": "r-2",
    "champion": "r-1",
    "source": "captured",
    "captured_by": "",
    "rows": 1000,
    "first": "2026-11-20T10:00:00Z",
    "last": "2026-11-28T10:00:00Z",
    "repeated": 900,
    "nearly": 0,
    "differing": 0,
    "difference": None,
    "unmapped": {},
    "filled": {},
    "errors": 0,
    "reasons": {},
    "flipped": 43,
    "segments": [],
    "psi": 0.0123,
    "psi_p": 0.25,
    "timed": {"champion": {"p50_ms": 0.1, "p99_ms": 0.2}, "release": {"p50_ms": 0.11, "p99_ms": 0.3}},
}
SKEW = {"differing": 3, "difference": {"id": "p-7", "stored": "[0.25]", "now": "[0.5]"}}


def after(*, known=NOTHING_KNOWN, **counted) -> tuple[str, str]:
    return judged({**COUNTED, **counted}, known, LIMITS)


def test_a_good_release_goes_on():
    assert after() == ("", "1,000 captured rows, 4.3 % of the decisions differ")
    assert after(captured_by="prod") == ("", "1,000 captured rows of prod, 4.3 % of the decisions differ")
    assert after(captured_by="prod", source="evaluation")[1].startswith(
        "1,000 rows of the evaluation window, since none of prod is captured"
    )


def test_a_champion_that_does_not_repeat_itself_is_skew_and_nothing_else_is_believed():
    expected = (
        "skew: r-1 does not repeat 3 of 903 stored answers, the first p-7: [0.25] then, [0.5] now; "
        "nothing else of the replay can be believed"
    )
    assert after(**SKEW) == ("skew", expected)
    assert after(**SKEW, errors=5, reasons={"x": 5}, flipped=1000) == ("skew", expected)


@pytest.mark.parametrize(
    ("counted", "stop", "why"),
    [
        (
            {"errors": 5, "reasons": {"no number": 2, "no wings": 3}},
            "errors",
            "errors: 5 of 1,000 rows get no answer that r-1 answers, 3 of them since no wings",
        ),
        (
            {"flipped": 201},
            "flips",
            "flips: 20.1 % of 1,000 decisions differ from r-1's; at most 20 % may (release.replay_flips)",
        ),
        ({"flipped": 200}, "", "1,000 captured rows, 20.0 % of the decisions differ"),
        (
            {"timed": {**COUNTED["timed"], "release": {"p50_ms": 1.0, "p99_ms": 51.0}}},
            "latency",
            "latency: p99 51 ms, the champion's 0.2; at most 50 ms may be (benchmarks.p99_ms)",
        ),
    ],
)
def test_a_limit_that_is_broken_stops_it(counted, stop, why):
    assert after(**counted) == (stop, why)


def test_decisions_that_are_known_to_be_worse_stop_it_and_doubt_does_not():
    known = {"outcomes": 40, "candidate_right": 5, "value_usd": -312.5, "log_e": 9.0}
    assert after(known=known) == (
        "decisions",
        (
            "decisions: of 40 flipped rows with an outcome the release is right in 5, worth -312.50 $ in all; "
            "e-value 8,103 of 100"
        ),
    )
    assert after(known={**known, "log_e": 4.0})[0] == ""


def test_without_a_row_nothing_is_wrong_and_that_is_said():
    assert after(rows=0, flipped=0, timed={}) == ("", "no row could be replayed")


def test_a_stage_without_traffic_replays_the_evaluation_window_and_says_so():
    assert after(source="evaluation", repeated=0)[1] == (
        "1,000 rows of the evaluation window, since none is captured, 4.3 % of the decisions differ"
    )


def test_a_number_has_no_decision_to_flip():
    assert after(flipped=None) == ("", "1,000 captured rows")


@given(
    st.integers(0, 10**5),
    st.floats(0, 1),
    st.booleans(),
    st.integers(0, 50),
    st.floats(0, 1e3),
    st.floats(-50, 50),
)
def test_a_release_goes_on_only_within_every_limit(rows, share, skew, errors, p99_ms, log_e):
    flipped = int(rows * share)
    timed = {"champion": {"p50_ms": 0.1, "p99_ms": 0.2}, "release": {"p50_ms": 0.1, "p99_ms": p99_ms}}
    counted = {"rows": rows, "flipped": flipped, "errors": errors, "reasons": {"why": errors}, "timed": timed}
    stop, why = after(known={**NOTHING_KNOWN, "log_e": log_e}, **counted, **(SKEW if skew else {}))
    within = flipped <= 0.2 * rows and not errors and p99_ms <= 50 and log_e < 4.6 and not skew
    assert (stop == "") == within or 4.6 <= log_e <= 4.61
    assert why


def test_segments_that_flip_most_are_named_and_small_ones_are_not():
    segments = {
        ("carrier", "UA"): [100, 10],
        ("carrier", "AA"): [100, 30],
        ("carrier", "HA"): [9, 9],
        ("x", "y"): [60, 0],
    }
    assert [(one["value"], one["flipped"]) for one in worst(segments)] == [("AA", 30), ("UA", 10)]
    assert len(worst({("carrier", str(n)): [100, 50] for n in range(20)})) == 5


def test_a_report_is_told_in_sentences():
    report = {
        **COUNTED,
        "nearly": 4,
        "unmapped": {"gate": 12},
        "filled": {"wind": 3},
        "segments": [{"column": "carrier", "value": "AA", "rows": 100, "flipped": 30}],
        "at": "2026-11-29T10:00:00Z",
        "known": {"outcomes": 12, "candidate_right": 9, "value_usd": 84.0, "log_e": -1.0},
        "stop": "",
        "why": after()[1],
    }
    assert in_words(report) == [
        "replay passed: 1,000 captured rows, 4.3 % of the decisions differ",
        (
            "rows from 2026-11-20T10:00:00Z to 2026-11-28T10:00:00Z; r-1 repeats 900 of 900 answers, "
            "4 of them not to the last bit"
        ),
        "12 rows lack gate: not replayed",
        "3 rows lack wind: null there",
        "carrier AA: 30.0 % of 100 decisions differ",
        "predictions on the same rows: PSI 0.0123, p 0.25",
        "single rows, p50 and p99: 0.11 and 0.3 ms, r-1 in turn with it 0.1 and 0.2 ms",
        "12 rows on which both differ have an outcome; the release is right in 9, worth +84.00 $ in all",
    ]
    assert in_words({"at": "", "stop": "", "why": "it was champion before"}) == ["replay: it was champion before"]
