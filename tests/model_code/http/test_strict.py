"""The server's HTTP is strict and bounded: what is not one clear request gets an error and the connection ends."""

import contextlib
import json
import random
import re
import signal
import socket
import struct
import time

import pytest

from tests.model_code.serving import PATIENCE, ROW, ask, instances, serving

BODY = instances(ROW)
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def server(returns):
    with serving(returns.models["gradient_boosting"].parent) as process:
        yield process


def talk(port, *parts):
    """Everything that comes back for the bytes until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)  # so that they come apart, as a rule
        return everything(connection)


def everything(connection):
    found = b""
    with contextlib.suppress(ConnectionResetError):  # it had ended before we had sent all
        while data := connection.recv(65536):
            found += data
    return found


def statuses(found: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]


def request(*headers: bytes, body: bytes = BODY, head: bytes = HEAD) -> bytes:
    return head + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


LENGTH = b"Content-Length: %d" % len(BODY)
LAST = b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"  # shows that the connection was open until then
CHUNKED = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(LENGTH, LENGTH), 400),
        (request(LENGTH, b"Content-Length: 3"), 400),
        (request(b"Content-Length: +%d" % len(BODY)), 400),
        (request(b"Content-Length: 0x10"), 400),
        (request(b"Content-Length: -1"), 400),
        (request(b"Content-Length: 1, 2"), 400),
        (request(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED), 400),
        (request(b"Transfer-Encoding: chunked", LENGTH, body=CHUNKED), 400),
        (request(b"Transfer-Encoding: gzip, chunked", body=CHUNKED), 501),
        (request(b"Transfer-Encoding: xchunked", body=CHUNKED), 501),
        (request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED), 400),
        (request(b"Transfer-Encoding : chunked", body=CHUNKED), 400),
        (request(b"Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"), 400),
        (request(LENGTH, b"Host: y"), 400),
        (request(LENGTH, head=b"POST /invocations HTTP/1.1\r\n"), 400),
        (request(LENGTH, b"X: a\r\n folded"), 400),
        (request(LENGTH, b"X: a\x00b"), 400),
        (request(LENGTH, head=b"POST /invocations HTTP/1.1\nHost: x\n"), 400),
        (request(LENGTH, head=b"POST /invocations HTTP/9.9\r\nHost: x\r\n"), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (request(LENGTH, b"Connection: upgrade", b"Upgrade: websocket"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
        (request(LENGTH, b"Expect: a-miracle"), 417),
        (request(LENGTH, b"Content-Encoding: gzip"), 415),
        (request(b"Content-Length: 99999999999"), 413),
        (request(LENGTH, b"X: " + b"a" * 20_000), 431),
        (request(*[b"X-%d: a" % i for i in range(3000)], LENGTH), 431),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(server, sent, status):
    # a second request behind it: an attacker's, if the first were read otherwise by a proxy
    found = talk(server.port, sent + request(LENGTH))
    assert statuses(found) == [status], found
    assert b"connection: close" in found
    assert ask(server.port, "GET", "/ping")[0] == 200


def test_pipelined_requests_are_answered_in_their_order(server):
    large = instances(*[ROW] * 2000)  # goes to a thread, and the small ones behind it wait
    sent = [large, BODY, b"{", BODY, large, BODY]
    requests = [request(b"Content-Length: %d" % len(body), body=body) for body in sent]
    found = talk(server.port, b"".join(requests), LAST)
    assert statuses(found) == [200, 200, 400, 200, 200, 200, 200]
    bodies = [part.split(b"\r\n\r\n")[1] for part in found.split(b"HTTP/1.1 ")[1:-1]]
    rows = [len(json.loads(body)["predictions"]) if b"predictions" in body else None for body in bodies]
    assert rows == [2000, 1, None, 1, 2000, 1]


def test_chunked_bodies_and_bodies_a_byte_at_a_time_are_read(server):
    found = talk(server.port, request(b"Transfer-Encoding: chunked", body=CHUNKED), LAST)
    assert statuses(found) == [200, 200]
    whole = request(LENGTH)
    found = talk(server.port, *(whole[i : i + 7] for i in range(0, len(whole), 7)), LAST)
    assert statuses(found) == [200, 200]


def test_a_client_that_asks_first_is_told_to_go_on(server):
    found = talk(server.port, request(LENGTH, b"Expect: 100-continue", body=b""), BODY, LAST)
    assert statuses(found) == [100, 200, 200]
    found = talk(server.port, request(b"Content-Length: 7000000", b"Expect: 100-continue", body=b""))
    assert statuses(found) == [413]


def test_who_asks_for_the_head_gets_no_body_and_old_clients_are_answered_once(server):
    asked = b"HEAD /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\nHEAD /invocations HTTP/1.1\r\nHost: x\r\n\r\n"
    found = talk(server.port, asked, LAST)
    assert statuses(found) == [200, 405, 200] and b"content-length: 13\r\n" in found and b"{" not in found
    assert statuses(talk(server.port, b"GET /ping HTTP/1.0\r\n\r\n")) == [200]


def test_who_has_said_all_and_closed_that_half_still_gets_the_answer(server):
    large = instances(*[ROW] * 2000)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request(b"Content-Length: %d" % len(large), body=large))
        connection.shutdown(socket.SHUT_WR)
        found = everything(connection)
    assert statuses(found) == [200] and len(json.loads(found.split(b"\r\n\r\n")[1])["predictions"]) == 2000


def repeats(connection) -> int:
    """How often TCP had to send something again: tcpi_total_retrans of Linux."""
    return struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0]


def test_a_burst_of_connections_waits_while_the_server_is_busy(returns):
    """Beyond the listening queue Linux lets a client try again only after a second."""
    with serving(returns.models["prior"].parent) as process:
        process.send_signal(signal.SIGSTOP)
        burst = [socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE) for _ in range(300)]
        assert [repeats(connection) for connection in burst] == [0] * len(burst)
        process.send_signal(signal.SIGCONT)
        burst[-1].sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert statuses(burst[-1].recv(1000)) == [200]
        for connection in burst:
            connection.close()


def test_any_bytes_at_all_are_answered_or_refused_and_the_server_lives(server):
    """Mutations of good requests, seeded: no 500, no hang, and the next client is served."""
    chance = random.Random(7)
    good = [
        request(LENGTH),
        request(b"Transfer-Encoding: chunked", body=CHUNKED),
        b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    pieces = [
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b" ",
        b"\x00",
        b"\xff",
        b"0",
        b"Content-Length: 1\r\n",
        b"chunked",
        b"Host: y\r\n",
        b"{",
        b'"',
    ]
    for _ in range(150):
        sent = bytearray(chance.choice(good) * chance.randint(1, 3))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(sent))
            sent[place : place + chance.randint(0, 4)] = chance.choice(pieces)
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            found = everything(connection)
        assert set(statuses(found)) <= {200, 400, 404, 405, 408, 413, 415, 417, 431, 501}, (bytes(sent), found)
    assert ask(server.port, body=BODY)[0] == 200


def test_a_body_that_grows_beyond_the_limit_is_refused_while_it_comes(server):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    found = talk(server.port, request(b"Transfer-Encoding: chunked", body=b""), chunk * 100)
    assert statuses(found) == [413]
