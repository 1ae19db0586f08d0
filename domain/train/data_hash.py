"""A hash of the rows that a run learns from and is judged on."""

import hashlib
import json
from collections.abc import Iterable

from domain.train.windows import Part, Window


def data_hash(
    window: Window, train: Iterable[Part], evaluate: Iterable[Part], *, loads: list[str], duplicates: str
) -> str:
    """Return 16 hex digits, the same for the same rows in any stage: parts are named by the hashes of their file and
    contract.

    `loads`, oldest first, and the setting data.duplicates decide which of two duplicates counts.
    """
    named = [window, [part["key"] for part in train], [part["key"] for part in evaluate], loads, duplicates]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]
