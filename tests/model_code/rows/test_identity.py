"""Who a row is about and when, for batches: what the domain says row by row."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.contract.keys import entity_id
from domain.contract.schema import Column, Contract
from domain.contract.values import check_row
from domain.records import batch_prediction_id, shard_id
from domain.timestamps import iso
from domain.train.windows import training_window
from model_code.rows.identity import batch_ids, entity_ids, event_times, in_window, iso_texts
from model_code.rows.tables import check_block

COLUMNS = (
    Column("text", "string", nullable=True),
    Column("whole", "integer", nullable=True),
    Column("real", "float", nullable=True),
    Column("yes", "boolean", nullable=True),
    Column("when", "timestamp", nullable=True),
    Column("target", "boolean", role="target"),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.none(),
            "whole": st.integers(-(2**53), 2**53) | st.none(),
            "real": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            "yes": st.booleans() | st.none(),
            "when": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(datetime.isoformat) | st.none(),
            "target": st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sets(st.sampled_from(["text", "whole", "real", "yes", "when"]), max_size=4))
def test_entities_are_those_of_the_row_rule_with_and_without_keys(rows, keys):
    columns = tuple(
        Column(c.name, c.type, role="key" if c.name in keys else c.role, nullable=c.nullable) for c in COLUMNS
    )
    contract = Contract("t", "binary", columns, prior=0.5)
    checked = check_block(contract, rows, with_target=True)
    clean = [check_row(contract, row, with_target=True)[0] for row in rows]
    assert entity_ids(contract, checked.accepted).to_pylist() == [entity_id(contract, row) for row in clean]
    timed = Contract(
        "t",
        "binary",
        tuple(Column(c.name, c.type, role="event_time" if c.name == "when" else c.role) for c in COLUMNS),
        0.5,
    )
    assert event_times(timed, checked.accepted).to_pylist() == [row["when"] for row in clean]


def test_moments_are_written_as_the_domain_writes_them_however_far_apart():
    close = [datetime(2013, 1, 1) + timedelta(minutes=97 * n) for n in range(500)]
    far = [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59), datetime(1969, 12, 31, 23, 59, 59)]
    between = [datetime(2024, 2, 29, 12, 0, 0, 5)]
    for moments in ([], close, far, close + far, far + between):
        texts = iso_texts(pa.array(moments, pa.timestamp("us", "UTC"))).to_pylist()
        assert texts == [iso(moment.replace(tzinfo=UTC)) for moment in moments]


def test_a_batchs_ids_are_those_of_its_rows():
    rows = np.array([1, 9, 10, 9_999, 10_000, 123_456_789, 999_999_999_999])
    ids = batch_ids(shard_id("run", "part.csv"), rows).to_pylist()
    assert ids == [batch_prediction_id("run", "part.csv", row) for row in rows.tolist()]
    assert batch_ids(shard_id("run", "part.csv"), rows[:0]).to_pylist() == []


def test_a_window_is_half_open_and_its_parts_meet():
    columns = (
        Column("when", "timestamp", role="event_time"),
        Column("x", "float"),
        Column("target", "boolean", role="target"),
    )
    contract = Contract("t", "binary", columns, prior=0.5)
    moments = [
        "2024-01-01",
        "2024-01-30T23:59:59.999999Z",
        "2024-01-31",
        "2024-02-29T23:59:59Z",
        "2024-03-01",
        "2023-12-31T23:59:59Z",
    ]
    batch = check_block(
        contract, [{"when": when, "x": 1.0, "target": True} for when in moments], with_target=True
    ).accepted
    window = training_window(as_of="2024-03-01", window_days=60, evaluate_days=30)
    assert in_window(contract, batch, window, "train").to_pylist() == [True, True, False, False, False, False]
    assert in_window(contract, batch, window, "evaluate").to_pylist() == [False, False, True, True, False, False]
    assert batch["when"][0].as_py() == datetime(2024, 1, 1, tzinfo=UTC)


def test_without_an_event_time_the_hash_splits_in_the_windows_proportion_and_an_entity_stays_on_its_side():
    columns = (Column("who", "string", role="key"), Column("x", "float"), Column("target", "boolean", role="target"))
    contract = Contract("t", "binary", columns, prior=0.5)
    rows = [{"who": f"w{n % 4000}", "x": float(n), "target": True} for n in range(8000)]
    batch = check_block(contract, rows, with_target=True).accepted
    window = training_window(as_of="2024-03-01", window_days=100, evaluate_days=25)
    train, evaluate = (in_window(contract, batch, window, part).to_pylist() for part in ("train", "evaluate"))
    assert [one != other for one, other in zip(train, evaluate, strict=True)] == [True] * 8000
    assert train[:4000] == train[4000:]
    assert abs(sum(evaluate) / 8000 - 0.25) < 0.02
    later = training_window(as_of="2024-04-01", window_days=100, evaluate_days=25)
    assert in_window(contract, batch, later, "evaluate").to_pylist() == evaluate
