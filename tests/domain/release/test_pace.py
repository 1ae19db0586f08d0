"""Recorded requests are sent again as they came, and their times are held to a limit that the champion keeps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.release.pace import LEAST, MOST, Recorded, breach, busiest, in_words, not_timed, side
from domain.timestamps import iso

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def recorded(*seconds: float, contract="ab") -> list[Recorded]:
    return [
        Recorded(iso(START + timedelta(seconds=at)), contract, {"number": number}) for number, at in enumerate(seconds)
    ]


def test_the_busiest_span_is_sent_with_its_pauses_the_earliest_of_several():
    assert busiest(recorded(0, 100, 101, 103, 200, 201, 203), 5.0) == [
        {"after_s": 0.0, "contract_hash": "ab", "rows": [{"number": 1}]},
        {"after_s": 1.0, "contract_hash": "ab", "rows": [{"number": 2}]},
        {"after_s": 3.0, "contract_hash": "ab", "rows": [{"number": 3}]},
    ]
    assert busiest([], 5.0) == []


def test_rows_of_one_request_are_one_request_again_and_other_contracts_are_others():
    found = busiest([*recorded(1, 1), *recorded(1, contract="cd")], 5.0)
    assert [(one["contract_hash"], len(one["rows"])) for one in found] == [("ab", 2), ("cd", 1)]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=80), st.floats(0, 100))
def test_no_span_has_more_and_none_is_longer(seconds, span_s):
    moments = [one.made_at for one in recorded(*seconds)]
    found = busiest(recorded(*seconds), span_s)
    at = sorted({(datetime.fromisoformat(text) - START).total_seconds() for text in moments})
    most = max(sum(begin <= other <= begin + span_s for other in at) for begin in at)
    assert abs(len(found) - most) <= 1  # the ends are rounded to what a timestamp holds
    assert found[0]["after_s"] == 0.0 and found[-1]["after_s"] <= span_s


def test_a_rush_is_cut_to_what_may_be_sent():
    assert len(busiest(recorded(*[number / 1000 for number in range(2 * MOST)]), 60.0)) == MOST


def test_a_request_without_an_answer_took_as_long_as_the_deadline():
    assert side([1.0] * 98 + [5.0, None], deadline_ms=1500) == {"p50_ms": 1.0, "p99_ms": 5.0, "failed": 1}
    assert side([None] * 3, deadline_ms=1500) == {"p50_ms": 1500, "p99_ms": 1500, "failed": 3}


def timed(ours: float, theirs: float, requests=LEAST) -> dict:
    sides = {
        name: {"p50_ms": 2.0, "p99_ms": p99, "failed": 0} for name, p99 in (("release", ours), ("champion", theirs))
    }
    return {"requests": requests, "seconds": 60.0, "why": "", **sides}


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        (timed(80.0, 40.0), True),
        (timed(50.0, 40.0), False),
        (timed(80.0, 60.0), False),  # the champion misses it too, so it is the way there
        (timed(80.0, 40.0, requests=LEAST - 1), False),
        (not_timed("as no request was captured"), False),
        (None, False),
    ],
)
def test_a_release_that_is_slower_than_agreed_where_the_champion_is_not_is_stopped(found, stops):
    assert bool(breach(found, 50.0)) == stops
    assert breach(found, 0.0) == ""


def test_what_was_timed_is_told_beside_the_champions():
    assert breach(timed(80.0, 40.0), 50.0) == (
        "p99 80 ms at the endpoint, the champion's 40 in the same run of 100 requests; "
        "at most 50 ms may be (benchmarks.p99_ms)"
    )
    assert in_words(timed(80.0, 40.0, requests=7)) == (
        "7 requests at their own pace in 60 s, p50 and p99: 2 and 80 ms, the champion's beside it 2 and 40 ms"
        ", too few to judge p99 by (100)"
    )
    failed = {**timed(80.0, 40.0), "release": {"p50_ms": 2.0, "p99_ms": 1500.0, "failed": 3}}
    assert "2 and 1.5e+03 ms (3 without an answer)" in in_words(failed)
    assert in_words(not_timed("as no request was captured")) == (
        "endpoints at the recorded pace: not measured, as no request was captured"
    )
