"""The id of the entity that a row is about."""

import hashlib
import json

from domain.contract.schema import Contract

LONGEST_KEY_BYTES = 1024


def entity_id(contract: Contract, row: dict[str, object]) -> str:
    """Return the id of the entity that a row is about: its key columns, joined; without a key, the hash of its
    features.
    """
    keys = contract.of_role("key")
    if keys:
        return as_key("|".join(str(row[column.name]) for column in keys))
    features = [row.get(column.name) for column in contract.features]
    return hashlib.sha256(json.dumps(features, ensure_ascii=False).encode()).hexdigest()[:32]


def as_key(text: str) -> str:
    """Return the text, or its hash if a table cannot use it as a key because it is empty or too long."""
    encoded = text.encode()
    return text if 1 <= len(encoded) <= LONGEST_KEY_BYTES else hashlib.sha256(encoded).hexdigest()[:32]
