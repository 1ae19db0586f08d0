"""Fingerprints of a stage's deployed settings, by section: they show where fairway.toml was edited since."""

import dataclasses
import hashlib
import json

from domain.config.sections import SECTIONS, Config, as_dict
from domain.contract.schema import Contract

CONTRACT = "contract"  # listed after the sections of fairway.toml


def fingerprints(config: Config, contract: Contract) -> dict[str, str]:
    """Return {section: 8 hex digits that change with any of its settings}, and one entry for the contract."""
    values = as_dict(config)
    sections = {name: _digest(values[name]) for name in SECTIONS if dataclasses.is_dataclass(getattr(config, name))}
    return {**sections, CONTRACT: contract.hash[:8]}


def edited(deployed: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the sections that differ, in the order of fairway.toml; sections without a stored fingerprint are not
    compared.
    """
    return [name for name in now if name in deployed and deployed[name] != now[name]]


def _digest(values: object) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
