"""The load generator of the serving benchmark counts what a server answers, whatever the server does with its
connections.
"""

import asyncio
import contextlib

import pytest

from bench.serving.load import load

REPLY = b"HTTP/1.1 %b\r\ncontent-length: 2\r\n%b\r\nok"
WELL = REPLY % (b"200 OK", b"")
LAST = REPLY % (b"200 OK", b"Connection: close\r\n")


def loaded(tmp_path, *replies: bytes, closes: bool) -> tuple[dict, int]:
    """(what 3 connections to a server of these replies, in turn, measured in a third of a second, requests that
    it saw)
    """
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text('{"a": 1}\n{"a": 22}\n')
    seen = 0

    async def serve(reader, writer):
        nonlocal seen
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2]))
                assert (head.split(b"\r\n")[0], body) in [
                    (b"POST /score HTTP/1.1", line) for line in bodies.read_bytes().splitlines()
                ]
                seen += 1
                writer.write(replies[seen % len(replies)])
                if closes:
                    break
        writer.close()

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            return await load(server.sockets[0].getsockname()[1], "/score", bodies, connections=3, seconds=0.35)

    return asyncio.run(run()), seen


@pytest.mark.parametrize(("reply", "closes"), [(WELL, False), (LAST, True)])
def test_a_server_that_closes_after_each_reply_is_asked_as_long_as_one_that_does_not(tmp_path, reply, closes):
    found, seen = loaded(tmp_path, reply, closes=closes)
    assert found["failed"] == 0
    assert seen - 3 <= found["requests"] <= seen
    assert found["requests"] > 3, "no connection was asked twice"
    assert 0 < found["p50_ms"] <= found["p99_ms"]


def test_a_refusal_counts_as_failed(tmp_path):
    found, _ = loaded(tmp_path, REPLY % (b"429 Too Many Requests", b""), closes=False)
    assert found["failed"] == found["requests"] > 0


def test_a_connection_that_breaks_before_the_reply_counts_as_failed_and_is_made_anew(tmp_path):
    found, _ = loaded(tmp_path, LAST, LAST[:10], closes=True)
    assert found["failed"] > 0
    assert found["requests"] - found["failed"] > 0


def test_a_server_that_never_answers_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"answered none of 3 connections within 0.35 s; \d+ were lost"):
        loaded(tmp_path, WELL[:10], closes=True)
