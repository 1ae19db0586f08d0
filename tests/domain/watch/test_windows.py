"""Windows follow each other without a gap, and every timestamp lies in one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.watch.windows import Span, before, hours, last_whole, span_of, windows_a_year

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
DAYS = st.integers(1, 366)


@given(MOMENTS, DAYS)
def test_every_timestamp_lies_in_one_window_of_whole_days(moment, days):
    span = span_of(moment, days)
    assert span.start <= moment < span.end == span.start + timedelta(days=days)
    assert f"{span.start:%H:%M:%S.%f}" == "00:00:00.000000"
    assert (before(span).end, span_of(before(span).start, days)) == (span.start, before(span))
    assert len(hours(span)) == 24 * days


@given(MOMENTS, DAYS)
def test_the_newest_window_that_has_ended_ends_at_most_its_length_before(moment, days):
    span = last_whole(moment, days)
    assert span.end <= moment < span.end + timedelta(days=days)


def test_a_window_is_named_by_its_day_and_its_hours_as_the_lake_names_them():
    span = span_of(datetime(2013, 4, 1, 9, 30, tzinfo=UTC), 1)
    assert (span, span.name) == (
        Span(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 2, tzinfo=UTC)),
        "2013-04-01",
    )
    assert (hours(span)[0], hours(span)[-1]) == ("2013-04-01T00", "2013-04-01T23")
    assert (windows_a_year(1), windows_a_year(7), windows_a_year(366)) == (365, 52, 1)
