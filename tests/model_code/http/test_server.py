"""The end of a server, in this process: nobody who has connected, or nearly, is reset."""

import asyncio
import signal
import socket

from model_code.answers.reply import Reply
from model_code.http.listening import listening_sockets
from model_code.http.request_log import RequestLog
from model_code.http.server import Server
from model_code.http.workers import stops_blocked
from tests.model_code.serving import PATIENCE

REQUEST = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Yes:
    def answer(self, request):
        return Reply(b"yes")


async def stopped_while(server: Server, sock: socket.socket, client: socket.socket) -> bytes:
    """The reply to a request that is sent once the server has begun to stop."""
    running = asyncio.ensure_future(server.run(sock, drain_seconds=PATIENCE))
    while not server.draining:
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    client.setblocking(False)
    await loop.sock_sendall(client, REQUEST)
    reply = await loop.sock_recv(client, 1000)
    await running
    return reply


def reply_at_the_end(sock: socket.socket) -> bytes:
    server = Server(Yes(), RequestLog(write=lambda **fields: None), most_at_once=1, deadline_s=PATIENCE)
    with socket.create_connection(sock.getsockname(), timeout=PATIENCE) as client, stops_blocked():
        signal.raise_signal(signal.SIGTERM)  # for this thread; it waits until the server takes it
        return asyncio.run(stopped_while(server, sock, client))


def test_a_client_that_waits_while_the_server_is_told_to_stop_is_answered():
    (sock,) = listening_sockets("127.0.0.1", 0, 1)
    assert reply_at_the_end(sock).endswith(b"connection: close\r\n\r\nyes")


def test_a_client_whose_handshake_ends_while_the_server_stops_is_answered():
    (sock,) = listening_sockets("127.0.0.1", 0, 1)
    # With this option a handshake ends with the client's first bytes, as if its last packet were on the way until then.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE)
    assert reply_at_the_end(sock).endswith(b"connection: close\r\n\r\nyes")
