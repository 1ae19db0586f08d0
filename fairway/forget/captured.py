"""Captured answers, and stream records that could not be read, which may belong to any entity."""

import json
from pathlib import Path
from typing import Any, BinaryIO

from domain import lake
from fairway.forget.entity import Entity
from fairway.forget.files import Folder, below
from fairway.forget.form import Form, Found, Unreadable

FORGOTTEN = {"reason": "the entity of this record was forgotten"}


def _look(file: BinaryIO, entity: Entity) -> Found:
    try:
        is_own = _holds(json.load(file), entity.id)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {error}") from None
    return Found(int(is_own), int(not is_own))


def _holds(value: Any, text: str) -> bool:
    """Return whether a text occurs anywhere in a document."""
    if isinstance(value, dict):
        return any(_holds(inner, text) for inner in value.values())
    if isinstance(value, list):
        return any(_holds(inner, text) for inner in value)
    return bool(value == text)


def _write(file: BinaryIO, entity: Entity, out: Path) -> None:
    out.write_text(json.dumps(FORGOTTEN))


SET_ASIDE = Form(_look, _write)
forget_captured = below(Folder(lake.CAPTURED, "captured"))
forget_set_aside = below(Folder(lake.unreadable_prefix(), "captured", form=lambda key: SET_ASIDE))
