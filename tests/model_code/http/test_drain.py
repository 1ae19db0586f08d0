"""SIGTERM at any moment ends the server and drops nothing: what was sent is answered whole, by one worker or more."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import threading
import time

import pytest

from tests.model_code.serving import PATIENCE, ROW, ask, finish, instances, serving, starting, wait_for

BODY = instances(ROW)
LARGE = instances(*[ROW] * 2000)


class Client(threading.Thread):
    """Asks until it is told that the connection closes, or is not let in; `dropped` holds what went unanswered."""

    def __init__(self, port, body, *, keep):
        super().__init__()
        self.port, self.body, self.keep = port, body, keep
        self.answered, self.dropped = 0, []

    def run(self):
        connection = None
        while True:
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionRefusedError:
                return  # not let in, so nothing of it was taken
            try:
                connection.request("POST", "/invocations", self.body)
                reply = connection.getresponse()
                json.loads(reply.read())
            except (OSError, http.client.HTTPException) as error:
                return self.dropped.append(repr(error))
            self.answered += 1
            if reply.status != 200:
                return self.dropped.append(f"status {reply.status}")
            if reply.headers["connection"] == "close" or not self.keep:
                connection.close()
                connection = None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_dropped_when_the_server_is_told_to_stop(returns, workers):
    with serving(returns.models["gradient_boosting"].parent, SAGEMAKER_MODEL_SERVER_WORKERS=workers) as process:
        clients = [Client(process.port, BODY, keep=keep) for keep in (True, False) for _ in range(5)]
        clients.append(Client(process.port, LARGE, keep=True))
        for client in clients:
            client.start()
        wait_for(lambda: all(client.answered > 3 for client in clients))
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(timeout=PATIENCE)
        assert process.wait(timeout=PATIENCE) == 0
    assert [client.dropped for client in clients] == [[]] * len(clients)
    logged = [event for event in map(json.loads, process.log.splitlines()) if event["event"] == "answered"]
    assert sum(event["requests"] for event in logged) == sum(client.answered for client in clients)


def test_a_worker_that_dies_is_replaced(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = workers_of(process)
        os.kill(children[0], signal.SIGKILL)
        wait_for(lambda: len(children_of(process.pid)) == 2 and children[0] not in children_of(process.pid))
        assert [ask(process.port, body=BODY)[0] for _ in range(20)] == [200] * 20
    assert [event["event"] for event in map(json.loads, process.log.splitlines())].count("worker_died") == 1


def test_a_worker_that_is_told_to_stop_on_its_own_is_replaced_and_nobody_notices(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = workers_of(process)
        found = []
        while children[0] in children_of(process.pid):
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(children[0], signal.SIGTERM)
            found += [ask(process.port, body=BODY)[0] for _ in range(20)]
    assert found == [200] * len(found)


def test_what_waits_at_the_socket_of_a_worker_that_died_is_answered_at_a_stop(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = workers_of(process)
        process.send_signal(signal.SIGSTOP)
        for child in children:
            os.kill(child, signal.SIGKILL)
            wait_for(lambda child=child: not is_running(child))
        clients = [half_sent_unread(process.port, BODY) for _ in range(8)]
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert [finish(client, BODY)[0] for client in clients] == [200] * len(clients)
        assert process.wait(timeout=PATIENCE) == 0


def test_workers_end_with_the_process_that_started_them(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = workers_of(process)
        process.kill()
        process.wait()
        wait_for(lambda: not any(is_running(child) for child in children))


@pytest.mark.parametrize("workers", ["1", "4"])
def test_a_request_that_is_sent_while_the_server_starts_is_answered_though_it_is_told_to_stop(returns, workers):
    for _ in range(4):
        with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS=workers) as process:
            client = half_sent_unread(process.port, BODY)
            process.send_signal(signal.SIGTERM)
            assert finish(client, BODY)[0] == 200
            assert process.wait(timeout=PATIENCE) == 0


def test_a_stop_at_any_moment_of_the_start_ends_the_server(returns):
    chance = random.Random(3)
    for _ in range(8):
        process = starting(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="4")
        time.sleep(chance.uniform(0, 0.5))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)  # returns when no process of it is left to write more
        assert process.returncode in (0, -signal.SIGTERM), output  # killed, where it came before any code of ours ran


def half_sent_unread(port, body):
    """A request that nobody need have read yet, and whose body is not whole."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(
        f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:10]
    )
    return connection


def workers_of(process):
    wait_for(lambda: len(children_of(process.pid)) == 2)
    return children_of(process.pid)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(child) for child in listed.read().split()]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
