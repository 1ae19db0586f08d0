"""Tables for `fairway init`, and the drafts that it makes of them."""

import csv
import json
import tomllib
from pathlib import Path

from domain.config.sections import read_config
from domain.contract.file import read_contract
from fairway.cli import main
from model_code.rows.tables import read_table


def write_csv(file: Path, names: list[str], rows: list[list]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    return file


def drafted(data: Path, target: str, out: Path, *, rows: int | None = None) -> dict:
    """What init wrote: it exists, `check` passes, and the contract takes every row whose target is known, all `rows` of
    them.
    """
    assert main(["init", "--data", str(data), "--target", target, "--out", str(out)]) == 0
    assert main(["check", "--project", str(out)]) == 0
    contract = read_contract(out / "contract.toml", read_config(out).project.task)
    blocks = list(read_table(data, contract, with_target=True))
    read = sum(len(block.accepted) + len(block.quarantined) for block in blocks)
    assert read == rows if rows is not None else read > 0
    for block in blocks:
        problems = [problem for row in block.quarantined["problems"].to_pylist() for problem in json.loads(row)]
        assert [p for p in problems if (p["column"], p["rule"]) != (target, "null")] == []
    return tomllib.loads((out / "contract.toml").read_text())


def notes(capsys, data: Path, target: str, out: Path) -> str:
    assert main(["init", "--data", str(data), "--target", target, "--out", str(out), "--json"]) == 0
    return "\n".join(json.loads(capsys.readouterr().out)["notes"])
