"""The journal: rows are found before and after they are on disk, and what was committed is there after any end."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from local.journal import Journal, JournalError


@pytest.fixture
def journal(tmp_path):
    with closing(Journal(tmp_path / "journal.db")) as opened:
        yield opened


def copied(journal: Journal, to: Path) -> Path:
    """The files as a kill would leave them at this moment."""
    for path in journal.path.parent.glob(f"{journal.path.name}*"):
        shutil.copyfile(path, to / path.name)
    return to / journal.path.name


def test_a_row_is_read_before_it_is_on_disk_and_after(journal):
    space = journal.add_space("table")
    journal.put(space, "flight", "1", b"early")
    assert journal.part(space, "flight") == {"1": b"early"}
    journal.flush()
    journal.put(space, "flight", "1", b"late")
    journal.put(space, "flight", "2", b"on time")
    assert journal.part(space, "flight") == {"1": b"late", "2": b"on time"}
    journal.put(space, "flight", "1", None)
    assert journal.part(space, "flight") == {"2": b"on time"}


def test_rows_come_in_order_from_a_part_on_however_few_are_read_at_a_time(journal):
    space, other = journal.add_space("table"), journal.add_space("table")
    for part in ("b", "a", "c"):
        for key in ("2", "1"):
            journal.put(space, part, key, part.encode())
    journal.put(other, "b", "1", b"of another space")
    found = [(part, key) for part, key, _ in journal.after(space, "b", chunk=1)]
    assert found == [("b", "1"), ("b", "2"), ("c", "1"), ("c", "2")]
    assert journal.count(space) == 6


def test_what_was_settled_is_there_after_a_kill(journal, tmp_path):
    space = journal.add_space("table")
    killed = tmp_path / "killed"
    killed.mkdir()

    async def write() -> None:
        journal.put(space, "flight", "1", b"answered")
        await journal.settled()

    asyncio.run(write())
    journal.put(space, "flight", "2", b"not answered")
    with closing(Journal(copied(journal, killed))) as after:
        assert (after.spaces("table"), after.part(space, "flight")) == ([space], {"1": b"answered"})


def test_writes_that_wait_together_go_to_disk_together(journal):
    space = journal.add_space("table")
    commits = []
    journal._writer.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)

    async def write(number: int) -> None:
        journal.put(space, "flight", str(number), b"")
        await journal.settled()

    async def write_all() -> None:
        await asyncio.gather(*(write(number) for number in range(100)))

    asyncio.run(write_all())
    assert journal.count(space) == 100
    assert len(commits) <= 2


@pytest.mark.parametrize("torn_bytes", [1, 3000, 4096])
def test_a_torn_last_record_is_no_record(journal, tmp_path, torn_bytes):
    space = journal.add_space("table")
    killed = tmp_path / "killed"
    killed.mkdir()
    journal.put(space, "flight", "1", b"whole")
    journal.flush()
    journal.put(space, "flight", "2", b"torn")
    journal.flush()
    log = copied(journal, killed).with_name("journal.db-wal")
    with open(log, "rb+") as file:
        file.truncate(log.stat().st_size - torn_bytes)
    with closing(Journal(killed / "journal.db")) as after:
        assert after.part(space, "flight") == {"1": b"whole"}


def test_a_space_that_is_dropped_is_gone_with_its_rows_and_the_others_stay(journal):
    dropped, kept = journal.add_space("old"), journal.add_space("new")
    for space in (dropped, kept):
        journal.put(space, "flight", "1", b"")
    journal.flush()
    journal.put(dropped, "flight", "2", b"")
    journal.drop_space(dropped)
    assert (journal.count(dropped), journal.count(kept)) == (0, 1)
    assert journal.spaces() == [kept]


def test_a_disk_that_takes_nothing_is_said_and_what_waits_is_written_once_it_does(journal):
    space = journal.add_space("table")
    journal.flush()
    journal._writer.execute("PRAGMA query_only = 1")
    journal.put(space, "flight", "1", b"waits")
    with pytest.raises(JournalError, match="journal.db cannot be written"):
        asyncio.run(journal.settled())
    assert "cannot be written" in journal.failure
    assert journal.part(space, "flight") == {"1": b"waits"}
    journal._writer.execute("PRAGMA query_only = 0")
    asyncio.run(journal.settled())
    assert (journal.failure, journal.count(space)) == (None, 1)
