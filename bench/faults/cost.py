"""What the journal costs: the same requests and batches to a local AWS that keeps everything and to one without it.

Both run at once and are asked in turns, so that a busy minute of the machine hits both.
"""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.faults.place import ROOT, SCORED, Place, rows
from fairway.stage.aws import connect
from flights.demo import sample

IN_A_ROW = 10
WARM_UP = 30


@dataclass
class Found:
    """Milliseconds of one request and rows a second of a batch's writing, with the journal and without."""

    request_ms: tuple[float, float]
    batch_s: tuple[float, float]

    @property
    def of_a_request(self) -> float:
        return self.request_ms[0] / self.request_ms[1] - 1

    @property
    def of_a_batch(self) -> float:
        return self.batch_s[0] / self.batch_s[1] - 1


class _Client:
    """Signed requests to one project's API over one connection, each sent at once."""

    def __init__(self, place: Place):
        self.stage = connect(place.folder, "local")
        self.address = urlsplit(self.stage.addresses["api_url"])
        self.connection = http.client.HTTPConnection(self.address.hostname or "", self.address.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, row: dict) -> float:
        """Milliseconds until the answer."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self.stage.session.get_credentials().get_frozen_credentials()
        url = f"{self.stage.addresses['api_url'].rstrip('/')}/predictions"
        request = AWSRequest("POST", url, data=json.dumps(row).encode(), headers={"Content-Type": "application/json"})
        SigV4Auth(credentials, "execute-api", self.stage.session.region_name).add_auth(request)
        prepared = request.prepare()
        began = time.perf_counter()
        self.connection.request("POST", urlsplit(url).path, prepared.body, dict(prepared.headers))
        reply = self.connection.getresponse()
        said = reply.read()
        took = time.perf_counter() - began
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {said[:300]!r}")
        return 1000 * took


def run(kept: Place, plain: Place, *, requests: int, batches: int, progress: Callable[[str], None]) -> Found:
    """`plain` is stopped and served again with nothing kept."""
    plain.fairway("down")
    with _serving(plain):
        request_ms = _requests((kept, plain), requests)
        progress(f"a request {request_ms[0]:.2f} ms, without a journal {request_ms[1]:.2f} ms")
        batch_s = _batches((kept, plain), batches)
        progress(
            f"a batch of {len(rows(20_000).read_text().splitlines()) - 1:,} rows {batch_s[0]:.2f} s, {batch_s[1]:.2f} s"
        )
    plain.fairway("up")
    return Found(request_ms, batch_s)


@contextmanager
def _serving(place: Place) -> Iterator[None]:
    words = [sys.executable, "-m", "bench.faults.unjournaled", str(place.state)]
    with (
        open(place.folder / "unjournaled.log", "wb") as log,
        subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log) as process,
    ):
        try:
            while not (place.state / "server.json").exists():
                time.sleep(0.05)
                if process.poll() is not None:
                    raise RuntimeError((place.folder / "unjournaled.log").read_text())
            yield
        finally:
            process.terminate()


def _requests(places: tuple[Place, Place], number: int) -> tuple[float, float]:
    clients = [_Client(place) for place in places]
    flights = sample(Path(f"{places[0].folder.parent}/data/flights-{SCORED[0]}.csv"), 200)
    sent = [{name: value for name, value in flight.items() if name != "late"} for flight in flights]
    took: tuple[list[float], list[float]] = ([], [])
    for at in range(0, number + WARM_UP, IN_A_ROW):
        for which in _turn(at // IN_A_ROW):
            times = [clients[which].ask(sent[(at + more) % len(sent)]) for more in range(IN_A_ROW)]
            took[which].extend(times if at >= WARM_UP else [])
    return statistics.median(took[0]), statistics.median(took[1])


def _batches(places: tuple[Place, Place], number: int) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for at in range(number + 1):
        for which in _turn(at):
            as_of = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1404172800 + at))
            seconds = places[which].fairway("batch", str(rows(20_000)), "--as-of", as_of)["seconds"]
            took[which].extend([seconds] if at else [])
    return statistics.median(took[0]), statistics.median(took[1])


def _turn(number: int) -> tuple[int, int]:
    return (0, 1) if number % 2 else (1, 0)
