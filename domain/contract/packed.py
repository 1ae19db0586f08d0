"""A contract as one short text, for the item of the release that was made under it."""

from domain.contract.schema import Contract, as_dict, from_dict
from domain.packed import packed_json, unpacked_json


def packed(contract: Contract) -> str:
    """Write the contract as compressed text, about 400 characters for ten columns."""
    return packed_json(as_dict(contract))


def unpacked(text: str) -> Contract:
    """Return the contract that `packed` wrote."""
    return from_dict(unpacked_json(text))
