"""A contract as a release's item holds it."""

from domain.contract.packed import packed, unpacked
from domain.contract.schema import Column, Contract


def test_a_packed_contract_is_the_same_contract():
    columns = (
        Column("größe", "float", nullable=True, minimum=0, unit="cm", missing=("-",), owner="shop"),
        Column("shelf", "integer", categories=(1, 2)),
        Column("late", "boolean", role="target"),
    )
    contract = Contract("returns", "binary", columns, prior=0.4)
    assert unpacked(packed(contract)) == contract
    assert unpacked(packed(contract)).hash == contract.hash


def test_a_wide_contract_fits_into_an_item_many_times():
    columns = tuple(Column(f"sensor_{number}", "float", nullable=True, source="plant") for number in range(4000))
    contract = Contract("plant", "binary", (*columns, Column("fails", "boolean", role="target")), prior=0.1)
    assert len(packed(contract)) < 50_000  # of the 400 KB that an item of DynamoDB holds
