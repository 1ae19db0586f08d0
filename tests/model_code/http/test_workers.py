"""SIGTERM at the worst moments: every worker ends, and the process that started them ends after them."""

import json
import subprocess
import sys

import pytest

from tests.model_code.serving import PATIENCE, ROOT

WORKERS = """
import os, signal, sys, threading, time
from model_code.http import workers
from model_code.http.listening import listening_sockets

PARENT = os.getpid()

def work(sock):
    time.sleep(0.3)  # it is told to stop long before it has a handler for that
    stops = []
    signal.signal(signal.SIGTERM, lambda number, frame: stops.append(number))
    while not stops and os.getppid() == PARENT:
        time.sleep(0.01)
    sys.stdout.write('{"event": "stopped"}\\n' if stops else '{"event": "orphaned"}\\n')

def deaf(sock):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while os.getppid() == PARENT:
        time.sleep(0.01)

def fork_then(act, at):
    real, forks = os.fork, []
    def fork():
        pid = real()
        forks.append(pid)
        if pid and len(forks) == at:
            act(pid)
        return pid
    os.fork = fork

def stop(pid):
    os.kill(PARENT, signal.SIGTERM)

def run(work):
    workers.run_workers(listening_sockets("127.0.0.1", 0, 2), work)
"""


def events(program: str) -> list[dict[str, object]]:
    command = [sys.executable, "-c", WORKERS + program]
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


@pytest.mark.parametrize("at", [1, 2])
def test_a_stop_that_comes_before_a_new_worker_is_noted_reaches_every_worker(at):
    assert events(f"fork_then(stop, at={at}); run(work)") == [{"event": "stopped"}] * 2


def test_a_stop_that_another_thread_takes_reaches_every_worker():
    program = "threading.Thread(target=time.sleep, args=[1]).start(); fork_then(stop, at=2); run(work)"
    assert events(program) == [{"event": "stopped"}] * 2


def test_a_stop_that_comes_before_a_replacement_is_noted_reaches_it():
    program = """
def kill_first(pid):
    os.kill(pid, signal.SIGKILL)
    fork_then(stop, at=2)  # of those after it: the other worker, then the replacement

fork_then(kill_first, at=1)
run(work)
"""
    assert events(program) == [{"event": "worker_died", "status": 9}] + [{"event": "stopped"}] * 2


def test_a_worker_that_does_not_stop_is_killed():
    assert (
        events("workers.END_SECONDS = 0.2; fork_then(stop, at=2); run(deaf)")
        == [{"event": "worker_died", "status": 9}] * 2
    )
