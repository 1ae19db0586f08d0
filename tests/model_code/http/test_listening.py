"""A socket that is about to be closed: who has connected is let in, who has not is turned away, nobody is reset."""

import select
import socket

import pytest

from model_code.http.listening import begin_no_more_connections, listening_sockets

PATIENCE = 60  # seconds; no test waits that long unless it fails


@pytest.fixture
def listener():
    (sock,) = listening_sockets("127.0.0.1", 0, 1)
    sock.settimeout(PATIENCE)
    with sock:
        yield sock


def connect(listener):
    return socket.create_connection(listener.getsockname(), timeout=PATIENCE)


def begin_to_connect(listener):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    return client


def test_a_connection_that_waits_is_accepted_and_a_later_one_is_refused(listener):
    with connect(listener) as early:
        assert begin_no_more_connections(listener)
        with begin_to_connect(listener) as late:
            accepted, _ = listener.accept()
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
            listener.close()
            early.sendall(b"question")
            assert accepted.recv(100) == b"question"
            accepted.sendall(b"answer")
            assert early.recv(100) == b"answer"
            accepted.close()
            assert select.select([], [late], [], PATIENCE)[1] == [late]
            assert late.connect_ex(early.getpeername()) != 0


def test_a_handshake_that_is_under_way_is_completed(listener):
    # With this option a handshake ends with the client's first bytes, as if its last packet were on the way until then.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE)
    with connect(listener) as client:
        assert begin_no_more_connections(listener)
        client.sendall(b"question")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"question"


def test_a_copy_of_the_socket_begins_no_more_connections_either(listener):
    with listener.dup() as copy:
        assert begin_no_more_connections(copy)
    with begin_to_connect(listener):
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
