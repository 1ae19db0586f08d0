"""The fingerprint of the rows of a run."""

import pytest

from domain.train.data_hash import data_hash
from domain.train.windows import training_window

WINDOW = training_window(as_of="2013-04-01", window_days=90, evaluate_days=28)
PARTS = [
    {"key": f"rows/month=2013-0{month}/a-00000.parquet", "rows": 1, "first": None, "last": None} for month in (1, 3)
]
SAME = {"window": WINDOW, "train": PARTS[:1], "evaluate": PARTS[1:], "loads": ["a", "b"], "duplicates": "newest"}


def test_the_same_rows_have_the_same_fingerprint_wherever_they_are_computed():
    assert data_hash(**SAME) == data_hash(**SAME) == "688198317c4b7e26"


@pytest.mark.parametrize(
    "other",
    [
        {"window": training_window(as_of="2013-04-02", window_days=90, evaluate_days=28)},
        {"train": PARTS},
        {"evaluate": PARTS},
        {"loads": ["b", "a"]},
        {"duplicates": "keep"},
    ],
)
def test_other_rows_have_another(other):
    assert data_hash(**{**SAME, **other}) != data_hash(**SAME)
