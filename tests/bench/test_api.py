"""The benchmark of the API counts what was answered and what failed, and its bare connection signs as botocore does."""

import threading

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.api import modes
from bench.api.bare import Bare, NotAnswered
from bench.api.load import Level, NothingAnswered, alternating, measure
from bench.api.report import last_line
from local.profile import RootKey
from tests.fairway.client.server import serving

ROWS = [{"n": number} for number in range(10)]
KEY = RootKey("AKIA", "secret")


def test_clients_ask_at_the_same_time_and_what_fails_is_counted_apart():
    together = threading.Barrier(3, timeout=20)

    def connect():
        asked = []

        def ask(row):
            asked.append(row)
            if len(asked) <= 2:  # nobody's first two requests end before the others have sent theirs
                together.wait()
            if len(asked) == 2:
                raise NotAnswered("503")

        return ask

    found = measure(connect, ROWS, clients=3, seconds=0)
    assert found["requests"] == 3 + found["failed"]
    assert 0 < found["p50_ms"] <= found["p99_ms"]


def test_where_nothing_is_answered_the_last_failure_is_shown():
    def refuse(row):
        raise NotAnswered("403 Forbidden")

    with pytest.raises(NothingAnswered, match="403 Forbidden"):
        measure(lambda: refuse, ROWS, clients=1, seconds=0)


def test_two_ways_to_ask_are_asked_in_turn_with_the_same_rows():
    seen = []

    def way(name):
        return lambda: lambda row: seen.append((name, row))

    found = alternating(way("one"), way("other"), ROWS, times=2)
    assert seen == [("one", ROWS[0]), ("other", ROWS[0]), ("one", ROWS[1]), ("other", ROWS[1])]
    assert set(found) == {"quick", "median", "processor"}


def test_a_bare_connection_is_kept_and_signs_as_botocore_does():
    with serving(lambda request: (200, request["body"])) as (url, seen):
        bare = Bare(f"{url}predictions", KEY, "eu-west-1")
        assert [bare.ask(row) for row in ROWS[:2]] == ROWS[:2]
        (first, second) = seen
    assert first["connection"] == second["connection"]
    sent = first["headers"]
    kept = {name: sent[name] for name in ("content-type", "x-amz-date")}
    request = AWSRequest("POST", f"{url}predictions", data=b'{"n": 0}', headers=kept)
    request.context["timestamp"] = sent["x-amz-date"]
    signer = SigV4Auth(Credentials(*KEY), "execute-api", "eu-west-1")
    assert sent["authorization"].rpartition("=")[2] == signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )


def test_a_bare_connection_refuses_another_status():
    forbidden = serving(lambda _: (403, {"message": "Forbidden"}))
    with forbidden as (url, _), pytest.raises(NotAnswered, match="403 .*Forbidden"):
        Bare(f"{url}predictions", KEY, "eu-west-1").ask(ROWS[0])


@pytest.mark.parametrize(("added", "failed", "verdict"), [(0.99, 0, "holds"), (1.01, 0, "BROKEN"), (0.5, 1, "BROKEN")])
def test_the_last_line_has_every_figure_and_whether_they_hold(added, failed, verdict):
    level: Level = {"requests": 9, "failed": 0, "p50_ms": 1.0, "p99_ms": 2.0, "per_second": 3.0}
    levels = {case: {1: level, 8: level, 32: level} for case in ("predict", "echo", "bare")}
    levels["echo"] = {**levels["echo"], 8: {**level, "failed": failed}}
    figures = "1.0/2.0 1.0/2.0 1.0/2.0"
    results = {
        "levels": levels,
        "client_adds": {"quick": added, "median": 1.5, "processor": 0.4},
        "machine": {"load_average": 7.0},
    }
    assert last_line(results) == (
        f"p50/p99 ms at 1, 8 and 32 clients: predict {figures}, echo {figures}, bare {figures}; "
        f"the client adds {added:.2f} ms (at most 1; median 1.50, of processor 0.40); "
        f"{failed} requests failed, load average 7.0: {verdict}"
    )


@pytest.mark.parametrize(
    ("p50_ms", "failed", "verdict"),
    [(4.0, 0, "0.40 of an endpoint's (below 0.5); 0 requests failed, load"), (4.0, 1, "")],
)
def test_function_mode_is_held_to_a_part_of_an_endpoints_time(p50_ms, failed, verdict):
    level = Level(requests=100, failed=0, p50_ms=10.0, p99_ms=20.0, per_second=90.0)
    levels = {"serverless": level, "function": {**level, "p50_ms": p50_ms, "failed": failed}}
    results = {"levels": levels, "machine": {"load_average": 0.5}}
    assert (modes.holds(results), verdict in modes.last_line(results)) == (not failed, True)
    slower = {**results, "levels": {**levels, "function": {**level, "p50_ms": 6.0}}}
    assert (modes.holds(slower), modes.last_line(slower).endswith(": BROKEN")) == (False, True)
