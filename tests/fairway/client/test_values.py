"""Values of Python, numpy and pandas in a request's body: what each becomes, and what is refused by name."""

import json
import math
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from fairway.client import Refused
from fairway.client.values import as_body, checked_text


def sent(value):
    return json.loads(as_body({"column": value}))["column"]


@pytest.mark.parametrize(
    "missing",
    [
        None,
        math.nan,
        np.nan,
        np.float32("nan"),
        pd.NA,
        pd.NaT,
        Decimal("NaN"),
        np.datetime64("NaT"),
        np.timedelta64("NaT"),
    ],
    ids=repr,
)
def test_a_missing_value_of_any_kind_is_null(missing):
    assert sent(missing) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (np.bool_(True), True),
        (3, 3),
        (np.int64(2**62 + 1), 2**62 + 1),
        (np.uint8(3), 3),
        (2.5, 2.5),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (Decimal("3.00"), 3),
        (Decimal("0.1"), 0.1),
        (np.str_("São"), "São"),
        (date(2013, 4, 1), "2013-04-01"),
        (datetime(2013, 4, 1, 9, 30, tzinfo=UTC), "2013-04-01T09:30:00+00:00"),
        (pd.Timestamp("2013-04-01T09:30Z"), "2013-04-01T09:30:00+00:00"),
        (np.datetime64("2013-04-01T09:30:00.000000001"), "2013-04-01T09:30:00"),
        (time(9, 30), "09:30:00"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (["a", {"b": 1}], ["a", {"b": 1}]),
    ],
    ids=repr,
)
def test_a_value_is_sent_as_the_json_that_means_it(value, expected):
    found = sent(value)
    assert (type(found), found) == (type(expected), expected)


def test_the_records_of_a_data_frame_are_rows():
    frame = pd.DataFrame({"amount": [np.nan, 2.5], "visits": [3, 4], "city": ["X", None], "vip": [True, False]})
    assert json.loads(as_body(frame.to_dict("records"))) == [
        {"amount": None, "visits": 3, "city": "X", "vip": True},
        {"amount": 2.5, "visits": 4, "city": None, "vip": False},
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"abc", "column = b'abc' (bytes): must be a number, text, boolean, timestamp or None"),
        (math.inf, "column = inf: must be finite; JSON has no infinity"),
        (Decimal("-Infinity"), "column = -Infinity: must be finite; JSON has no infinity"),
        (np.array([1, 2]), "column = array([1, 2]) (ndarray): must be a number, text, boolean, timestamp or None"),
        ("x\ud800", r"column = 'x\ud800': must be text that UTF-8 can hold; it has a half pair"),
        ([math.nan], "column = [nan]: must be what JSON can hold; Out of range float values are not JSON compliant"),
        ([b"abc"], "column = [b'abc']: must be what JSON can hold; Object of type bytes is not JSON serializable"),
    ],
    ids=ascii,
)
def test_what_json_cannot_hold_is_refused_by_name(value, reason):
    with pytest.raises(Refused) as refused:
        as_body({"column": value})
    assert refused.value.message.startswith(reason)
    with pytest.raises(Refused, match="^row 1: column = "):
        as_body([{"column": 1}, {"column": value}])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[1, 2]], "row 0: [1, 2]: must be an object of column names to values, such as a dict"),
        ({1: 2}, "a column's name = 1: must be text"),
        ({"\udcff": 2}, r"a column's name = '\udcff': must be text that UTF-8 can hold; it has a half pair"),
    ],
)
def test_what_is_not_a_row_is_refused(rows, reason):
    with pytest.raises(Refused) as refused:
        as_body(rows)
    assert refused.value.message == reason


@pytest.mark.parametrize("key", ["ключ", "a\nb", "", 7, "x" * 256])
def test_a_key_that_no_header_can_hold_is_refused(key):
    with pytest.raises(Refused, match=r"^idempotency_key = .*: must be "):
        checked_text("idempotency_key", key, header=True)
