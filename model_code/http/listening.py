"""The sockets that connections come in by: one for each worker (SO_REUSEPORT), over which the kernel spreads them.

A listening socket that is closed resets every connection that nobody has accepted from it, and every one whose
handshake is under way. So it first begins no further connection; those that were begun are accepted; then it closes.
"""

import ctypes
import socket
import struct
import sys

BACKLOG = 1024  # connections that wait to be accepted; a client beyond them tries again after a second
HANDSHAKE_SECONDS = 0.25  # far above a round trip within a region, below the second after which TCP repeats a SYN

_SO_ATTACH_FILTER = 26  # of Linux; Python has no name for it
_DROP_SYN = (  # classic BPF over the TCP segment: (operation, jump if true, jump if false, operand)
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone begins a connection
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # let anything else through
)


def listening_sockets(host: str, port: int, count: int) -> list[socket.socket]:
    return [_listening_socket(host, port, shared=count > 1) for _ in range(count)]


def _listening_socket(host: str, port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def begin_no_more_connections(sock: socket.socket) -> bool:
    """Let the kernel drop what would begin a connection, and complete the handshakes that are under way.

    A client that is dropped is refused when it tries again, a second later, once the socket is closed. Any copy of
    `sock`, of another process too, does the same from now on. False where the kernel has no such filter: then a
    connection whose handshake ends between the last accept and the close is reset.
    """
    if sys.platform != "linux":
        return False
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_DROP_SYN), ctypes.addressof(code)))
    except OSError:  # a sandbox, such as gVisor, need not know it
        return False
    return True
