"""Of the looks at a rollout a bounded number is kept, spread over all of its time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.release.looks import MOST, remembered
from domain.timestamps import iso, parse_timestamp

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def look(minute: float) -> dict:
    return {"at": iso(START + timedelta(minutes=minute)), "entities": int(minute), "evidence": {"split": 0.0}}


def after(minutes: list[float]) -> list[dict]:
    kept: list[dict] = []
    for minute in minutes:
        kept = remembered(kept, look(minute))
    return kept


def test_the_first_looks_are_all_kept():
    assert after([0, 1, 2, 3]) == [look(0), look(1), look(2), look(3)]


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=600))
def test_however_many_there_were_those_kept_are_few_and_leave_no_large_gap(waits):
    minutes = [sum(waits[:number]) for number in range(len(waits) + 1)]
    kept = after(minutes)
    assert len(kept) <= MOST and kept[0] == look(0)
    times = [parse_timestamp(one["at"]) for one in kept]
    assert times == sorted(times)
    gaps = [(later - earlier).total_seconds() / 60 for earlier, later in pairwise(times)]
    assert max(gaps, default=0) <= 4 * (minutes[-1] / MOST + max(waits))
