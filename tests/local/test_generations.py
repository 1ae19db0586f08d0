"""The journal and its copy: they share nothing, damage costs one of them, and nobody is told to remove the lake."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from local import generations
from local.journal import Journal
from local.state import LocalError


def write(folder: Path, value: bytes) -> None:
    with closing(Journal(generations.intact(folder)[0])) as journal:
        journal.put(1, "flight", "1", value)
        for number in range(500):
            journal.put(1, "more", str(number), b"x" * 100)


def read(folder: Path) -> bytes:
    with closing(Journal(generations.intact(folder)[0])) as journal:
        return journal.part(1, "flight")["1"]


def damage(path: Path) -> None:
    """As a failing disk does: pages within the file."""
    with open(path, "rb+") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)


def test_a_journal_and_its_copy_share_no_file(tmp_path):
    write(tmp_path, b"first")
    generations.make_copy(tmp_path)
    assert not (tmp_path / "journal.db").samefile(tmp_path / "copy.db")
    write(tmp_path, b"second")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT value FROM rows WHERE part = 'flight'").fetchall() == [(b"first",)]


def test_a_damaged_journal_costs_what_came_after_its_copy_and_is_kept_aside(tmp_path):
    write(tmp_path, b"first")
    generations.make_copy(tmp_path)
    write(tmp_path, b"second")
    damage(tmp_path / "journal.db")
    _, told = generations.intact(tmp_path)
    [aside] = tmp_path.glob("damaged-*")
    assert told.startswith("the journal was damaged: what came after its copy of ") and str(aside) in told
    assert (read(tmp_path), generations.intact(tmp_path)[1]) == (b"first", None)
    assert (aside / "journal.db").stat().st_size > 4096


def test_a_damaged_copy_costs_nothing(tmp_path):
    write(tmp_path, b"first")
    generations.make_copy(tmp_path)
    damage(tmp_path / "copy.db")
    assert read(tmp_path) == b"first"


def test_when_both_are_damaged_the_advice_keeps_the_lake(tmp_path):
    folder = tmp_path / "journal"
    write(folder, b"first")
    generations.make_copy(folder)
    for name in ("journal.db", "copy.db"):
        damage(folder / name)
    with pytest.raises(LocalError) as refused:
        generations.intact(folder)
    assert f"what was loaded is still in {tmp_path}/s3: keep that folder" in str(refused.value)
    assert "rm " not in str(refused.value)
    assert (folder / "journal.db").exists()


def test_a_copy_that_a_kill_cut_short_is_no_copy(tmp_path):
    write(tmp_path, b"first")
    (tmp_path / "copy.db.tmp").write_bytes(b"half")
    generations.make_copy(tmp_path)
    damage(tmp_path / "journal.db")
    assert read(tmp_path) == b"first"
