"""SIGTERM under load drops nothing: every request that was sent is answered whole, by one worker or two."""

import http.client
import json
import os
import signal
import threading
import time

import pytest

from tests.model_code.serving import ROW, ask, instances, serving

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
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
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
        clients = [Client(process.port, BODY, keep=True) for _ in range(6)] + [Client(process.port, LARGE, keep=True)]
        for client in clients:
            client.start()
        wait_for(lambda: all(client.answered > 3 for client in clients), seconds=60)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(timeout=20)
        assert process.wait(timeout=20) == 0
    assert [client.dropped for client in clients] == [[]] * len(clients)
    logged = [event for event in map(json.loads, process.log.splitlines()) if event["event"] == "answered"]
    assert sum(event["requests"] for event in logged) == sum(client.answered for client in clients)


def test_a_worker_that_dies_is_replaced(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = children_of(process.pid)
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)
        wait_for(lambda: len(children_of(process.pid)) == 2 and children[0] not in children_of(process.pid))
        assert [ask(process.port, body=BODY)[0] for _ in range(20)] == [200] * 20
    assert [event["event"] for event in map(json.loads, process.log.splitlines())].count("worker_died") == 1


def test_workers_end_with_the_process_that_started_them(returns):
    with serving(returns.models["prior"].parent, SAGEMAKER_MODEL_SERVER_WORKERS="2") as process:
        children = children_of(process.pid)
        process.kill()
        process.wait()
        wait_for(lambda: not any(is_running(child) for child in children))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return [int(child) for child in listed.read().split()]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
