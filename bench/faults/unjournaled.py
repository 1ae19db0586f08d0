"""`python -m bench.faults.unjournaled FOLDER`: the local AWS of that state folder with nothing kept, to compare with.

It starts from what the folder holds, has all items in memory, as MiniStack alone has them, and writes only objects.
"""

import json
import socket
import sys
from pathlib import Path

from local import generations, server
from local.journal import Journal


async def _at_once(*_: object) -> None:
    """An answer waits for nothing."""


def _in_memory(journal: Journal, _: object) -> None:
    """Use DynamoDB as MiniStack has it, with the items that the journal holds."""
    # lazy: MiniStack reads the environment once, and the server has set it only now
    from ministack.services import dynamodb as service

    from local.ministack import dynamodb

    load = service.load_persisted_state

    def load_with_items(saved: dict) -> None:
        load(saved)
        for table in service._tables.all_values():
            for space in journal.spaces(f"{dynamodb.SPACE} {table['TableId']}"):
                for partition, sort, value in journal.after(space):
                    table["items"][partition][sort] = json.loads(value)
            service._items_replaced(table)

    service.load_persisted_state = load_with_items


def _without_journal(run):
    """The server's `run`, after all that keeps has been replaced."""

    def run_without(folder: Path, sock: socket.socket, *, enforce_iam: bool) -> None:
        # lazy: as above
        from local import durable
        from local.ministack import dynamodb, persistence

        durable.Durable.settle = _at_once
        dynamodb.use = _in_memory
        persistence.Entries.collect = persistence.Entries.collect_one = lambda *_, **__: None
        generations.Copies.run = lambda *_: None
        run(folder, sock, enforce_iam=enforce_iam)

    return run_without


def main() -> None:
    server.run = _without_journal(server.run)
    server.serve(port=0, folder=Path(sys.argv[1]), enforce_iam=False)


if __name__ == "__main__":
    main()
