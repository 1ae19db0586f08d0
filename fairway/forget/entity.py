"""The entity to forget, and whether a row belongs to it, in any form of its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.contract.keys import as_key
from domain.contract.schema import Column, Contract
from domain.contract.text import from_text
from domain.contract.values import check_value
from fairway.terminal.errors import Refused


@dataclass(frozen=True, eq=False)
class Entity:
    """An entity; `id` is the tables' own, as domain/contract/keys.py makes it from the contract's key."""

    id: str
    contract: Contract

    @property
    def keys(self) -> list[Column]:
        return self.contract.of_role("key")

    def is_named_by(self, row: Mapping[str, Any]) -> bool:
        """Return whether the values of a row name the entity: as they are, as text, or as the contract reads them."""
        return self.is_named(tuple(_hashable(row.get(column.name)) for column in self.keys))

    @lru_cache(maxsize=100_000)  # noqa: B019 - a command forgets one entity, which lives as long as its process
    def is_named(self, values: tuple[Any, ...]) -> bool:
        """Return whether values of the key's columns, in order, name the entity."""
        pairs = list(zip(self.keys, values, strict=True))
        forms = ([_as_sent(value) for _, value in pairs], [_as_read(*pair) for pair in pairs])
        return any(as_key("|".join(texts)) == self.id for texts in forms)


def entity_named(word: str, contract: Contract) -> Entity:
    """Return the entity of an id in an answer of `predict`. Refused if the contract's key cannot make this id."""
    names = [column.name for column in contract.of_role("key")]
    if not names:
        what = f"the contract {contract.name!r} has no key, so no two rows are known to be about one entity"
        raise Refused("no_key", f"{what}; give a column the role key, or take files back with `fairway unload`")
    if not word or word.count("|") < len(names) - 1:
        form = "|".join(name.upper() for name in names)
        raise Refused("entity", f"ENTITY = {word!r}: must be {form}, as `entity_id` of an answer has it")
    return Entity(as_key(word), contract)


def _hashable(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else repr(value)


def _as_sent(value: Any) -> str:
    return value.strip() if isinstance(value, str) else str(value)


def _as_read(column: Column, value: Any) -> str:
    read = from_text(column, value) if isinstance(value, str) else value
    return str(check_value(column, read)[0])
