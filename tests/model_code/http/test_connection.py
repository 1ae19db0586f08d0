"""Time and pressure on one connection, by a clock that the test moves."""

import json

from model_code.answers.reply import Reply
from model_code.http.connection import IDLE_SECONDS, LINGER_SECONDS, READ_SECONDS, Connection
from model_code.http.server import Server

REQUEST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Transport:
    """Takes what is written; as asyncio's, once closed it takes no more."""

    def __init__(self):
        self.sent, self.state, self.reading = b"", "open", True

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def write(self, data):
        assert self.state == "open"
        self.sent += data

    def write_eof(self):
        self.state = "half closed"

    def close(self):
        self.state = "closed"

    def abort(self):
        self.state = "aborted"

    def is_closing(self):
        return self.state in ("closed", "aborted")


class Yes:
    def answer(self, request):
        return Reply(b"yes")


class Log:
    def __init__(self):
        self.statuses = []

    def answered(self, request, reply, started, ended):
        self.statuses.append(reply.status)


def connected(**settings):
    server = Server(Yes(), Log(), **{"most_at_once": 2, "deadline_s": 5, **settings})
    server.clock = 100.0
    server.now = lambda: server.clock
    return server, connect(server)


def connect(server):
    connection = Connection(server)
    connection.connection_made(Transport())
    return connection


def at(server, seconds):
    server.clock += seconds
    for connection in list(server.connections):
        connection.check(server.clock)


def test_who_sends_too_slowly_is_told_so_and_frees_its_place():
    server, slow = connected(most_at_once=1)
    for byte in REQUEST[:-1]:
        slow.data_received(bytes([byte]))
    assert server.under_way == 1
    at(server, READ_SECONDS - 1)
    assert slow.transport.sent == b""
    at(server, 2)
    assert slow.transport.sent.startswith(b"HTTP/1.1 408 Request Timeout\r\n") and slow.transport.state == "half closed"
    assert server.under_way == 0
    at(server, LINGER_SECONDS + 1)
    assert slow.transport.state == "closed"


def test_an_idle_connection_is_kept_for_a_while_and_ended_soon_when_the_server_stops():
    server, kept = connected()
    kept.data_received(REQUEST)
    at(server, IDLE_SECONDS - 1)
    assert kept.transport.state == "open"
    server.draining = True
    at(server, 0)
    assert kept.transport.state == "closed"


def test_the_reply_while_stopping_says_that_it_is_the_last():
    server, kept = connected()
    server.draining = True
    kept.data_received(REQUEST)
    assert b"\r\nconnection: close\r\n" in kept.transport.sent and kept.transport.state == "closed"


def test_who_does_not_read_its_replies_is_cut_off():
    server, deaf = connected()
    deaf.pause_writing()
    at(server, READ_SECONDS + 1)
    assert deaf.transport.state == "aborted"
    server, busy = connected()
    busy.pause_writing()
    at(server, READ_SECONDS - 1)
    busy.resume_writing()
    at(server, READ_SECONDS - 1)
    assert busy.transport.state == "open"


def test_who_does_not_take_its_replies_is_not_asked_for_more_requests():
    _server, slow = connected()
    slow.pause_writing()
    assert not slow.transport.reading
    slow.resume_writing()
    assert slow.transport.reading


def test_what_came_together_while_stopping_is_answered_whole_and_the_last_reply_says_so():
    server, kept = connected(most_at_once=3)
    server.draining = True
    kept.data_received(REQUEST * 2 + REQUEST[:-1])
    assert (server.log.statuses, b"connection: close" in kept.transport.sent, kept.transport.state) == (
        [200, 200],
        False,
        "open",
    )
    kept.data_received(REQUEST[-1:])
    assert (server.log.statuses, kept.transport.sent.count(b"connection: close"), kept.transport.state) == (
        [200] * 3,
        1,
        "closed",
    )


def test_an_old_client_that_would_keep_its_connection_is_told_that_it_ends():
    _, old = connected()
    old.data_received(REQUEST.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\n"))
    assert b"\r\nconnection: close\r\n" in old.transport.sent and old.transport.state == "closed"


def test_of_a_request_that_is_turned_away_no_body_is_kept():
    server, first = connected(most_at_once=1)
    first.data_received(REQUEST[:-1])
    second = connect(server)
    second.data_received(REQUEST[:-1])
    assert (second.request.refusal.status, second.request.body) == (429, b"")


def test_bodies_are_taken_as_long_as_memory_holds_them(monkeypatch):
    monkeypatch.setattr("model_code.http.server.MOST_HELD", 7)
    server, first = connected()
    second = connect(server)
    for connection in (first, second):
        connection.data_received(REQUEST.replace(b"Length: 2", b"Length: 20")[:-2] + b"1234")
    first.data_received(b"5678")
    second.data_received(b"5678")
    assert (
        second.transport.sent.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        and b"retry-after: 1\r\n" in second.transport.sent
    )
    assert server.held == 4
    first.data_received(b"9" * 3)
    first.data_received(b"9" * 9)
    assert (server.log.statuses, server.held, server.under_way) == ([429, 429], 0, 0)


def test_one_too_many_under_way_is_told_to_come_back_and_places_are_given_back():
    server, first = connected()
    second, third = connect(server), connect(server)
    for connection in (first, second):
        connection.data_received(REQUEST[:-1])
    third.data_received(REQUEST)
    assert (
        third.transport.sent.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        and b"retry-after: 1\r\n" in third.transport.sent
    )
    assert third.transport.state == "open"
    first.data_received(REQUEST[-1:])
    second.connection_lost(None)
    assert server.under_way == 0
    third.data_received(REQUEST)
    assert server.log.statuses == [429, 200, 200]


def test_one_connection_too_many_is_told_so(monkeypatch):
    monkeypatch.setattr("model_code.http.connection.MOST_CONNECTIONS", 1)
    server, first = connected()
    second = connect(server)
    assert second.transport.sent.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    first.data_received(REQUEST)
    assert first.transport.sent.endswith(b"yes")


def test_what_was_not_begun_by_its_deadline_is_not_begun():
    server, late = connected()
    late.data_received(REQUEST[:-1])
    server.clock += 6
    late.data_received(REQUEST[-1:])
    head, _, body = late.transport.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert json.loads(body) == {
        "error": "deadline_exceeded",
        "message": "the request must be begun within 5 s; send it again",
    }
