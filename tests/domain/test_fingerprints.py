"""Fingerprints of the settings: one for each section, and they name what was edited."""

import dataclasses
from pathlib import Path

from domain.config.sections import read_config
from domain.contract.file import read_contract
from domain.fingerprints import edited, fingerprints

ROOT = Path(__file__).parents[2]


def test_only_the_section_that_was_edited_differs():
    config, contract = read_config(ROOT), read_contract(ROOT / "flights/contract.toml", "binary")
    before = fingerprints(config, contract)
    serving = dataclasses.replace(config.serving, deadline_ms=config.serving.deadline_ms + 1)
    after = fingerprints(dataclasses.replace(config, serving=serving), contract)
    assert edited(before, before) == []
    assert edited(before, after) == ["serving"]
    assert edited({}, after) == []
    assert list(before)[-1] == "contract" and before["contract"] == contract.hash[:8]
    assert {len(each) for each in before.values()} == {8}
