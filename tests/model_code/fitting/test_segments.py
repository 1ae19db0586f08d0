import numpy as np
import pyarrow as pa
import pytest

from domain.contract.schema import Column, Contract
from model_code.fitting.segments import segments_of

COLUMNS = (
    Column("shop", "string", nullable=True),
    Column("noise", "string"),
    Column("floor", "integer", categories=(1, 2)),
    Column("size", "float"),
    Column("late", "boolean", role="target"),
)
BINARY = Contract("c", "binary", COLUMNS, prior=0.3)
REGRESSION = Contract("c", "regression", (*COLUMNS[:-1], Column("price", "float", role="target")), prior=10.0)
RATES = {"a": 0.1, "b": 0.3, "c": 0.6, None: 0.3}


def rows(number: int, seed: int = 1) -> tuple[pa.Table, np.ndarray]:
    """Rows whose shop tells something, and whose other columns tell nothing."""
    random = np.random.default_rng(seed)
    shops = random.choice(list(RATES), number, p=[0.4, 0.4, 0.1, 0.1])
    table = pa.table(
        {
            "shop": pa.array(shops.tolist(), pa.string()),
            "noise": [f"n{place}" for place in random.integers(0, 150, number)],
            "floor": random.integers(1, 3, number),
            "size": random.random(number),
        }
    )
    return table, random.random(number) < np.array([RATES[shop] for shop in shops])


def test_the_fallback_has_the_priors_of_the_column_that_tells_most():
    table, late = rows(5000)
    found = segments_of(BINARY, table, late.astype(int))
    assert (found["column"], sorted(found["priors"])) == ("shop", ["a", "b", "c"])
    shops = np.array(table.column("shop").to_pylist())
    for name, segment in found["priors"].items():
        own = shops == name
        assert (segment["cases"], segment["total"]) == (own.sum(), late[own].sum())
        assert segment["prior"] == pytest.approx(late[own].mean(), abs=0.01)


def test_of_a_regression_they_are_values():
    table, late = rows(5000)
    prices = np.where(late, 30.0, 10.0) + np.random.default_rng(2).normal(size=5000)
    found = segments_of(REGRESSION, table, prices)
    assert found["column"] == "shop"
    assert {name: round(one["prior"]) for name, one in found["priors"].items()} == {
        name: pytest.approx(10 + 20 * rate, abs=1) for name, rate in RATES.items() if name
    }


@pytest.mark.parametrize("seed", range(5))
def test_columns_that_tell_nothing_beyond_chance_give_none(seed):
    table, _ = rows(3000, seed)
    late = np.random.default_rng(100 + seed).random(3000) < 0.3
    assert segments_of(BINARY, table, late.astype(int)) is None


def test_a_column_that_told_something_only_of_older_rows_is_not_taken():
    table, late = rows(6000)
    late[3000:] = np.random.default_rng(9).random(3000) < late.mean()
    assert segments_of(BINARY, table, late.astype(int)) is None


def test_a_value_of_few_rows_has_no_prior_of_its_own_and_is_named_nowhere():
    table, late = rows(5000)
    shops = ["only once", *table.column("shop").to_pylist()[1:]]
    found = segments_of(BINARY, table.set_column(0, "shop", pa.array(shops, pa.string())), late.astype(int))
    assert (found["column"], sorted(found["priors"])) == ("shop", ["a", "b", "c"])


def test_a_column_that_older_rows_do_not_have_is_not_taken():
    table, late = rows(5000)
    shops = [None] * 2500 + table.column("shop").to_pylist()[2500:]
    assert segments_of(BINARY, table.set_column(0, "shop", pa.array(shops, pa.string())), late.astype(int)) is None


def test_few_rows_and_several_classes_have_one_prior():
    table, late = rows(150)
    assert segments_of(BINARY, table, late.astype(int)) is None
    classes = Contract("c", "multiclass", (*COLUMNS[:-1], Column("kind", "string", role="target")), prior={"x": 1.0})
    table, late = rows(5000)
    assert segments_of(classes, table, np.where(late, "x", "y")) is None
