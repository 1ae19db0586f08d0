"""Captured requests are sent to both endpoints as they came, and what each took is kept for the judgement."""

import dataclasses
import threading

import pytest

from domain import lake
from lambdas.release import judge_replay, pace_replay
from lambdas.release.pace_replay import Effects, Target
from tests.domain.release.test_replay import COUNTED
from tests.lambdas import stage
from tests.lambdas.request.predict.asking import ROW

ASKED = {"release": "r-2", "endpoint": f"{stage.PREFIX}r-2", "run": "train-2"}
REQUESTS = [{"after_s": 0.5 * number, "contract_hash": "ab", "rows": [{"number": number}]} for number in range(120)]
OURS, THEIRS = Target("r-2", f"{stage.PREFIX}r-2"), Target("r-1", "e-1")


class Endpoints:
    """A clock that sleeping moves, and endpoints that take what they are told to; who was asked when is kept."""

    def __init__(self, took: dict[str, float | None], documents: dict):
        self.took, self.documents, self.now, self.asked = took, documents, 0.0, []
        self.lock = threading.Lock()

    def ask(self, target, request, wait_s):
        with self.lock:
            self.asked.append((target.release, request["rows"][0]["number"], wait_s))
        return self.took[target.release]

    def sleep(self, seconds):
        self.now += seconds

    def effects(self, champion="r-1") -> Effects:
        return Effects(
            read=self.documents.get,
            write=self.documents.__setitem__,
            champion=lambda: {"release": champion, "endpoint": "e-1", "since": "2026-11-01T00:00:00Z"},
            ask=self.ask,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


def documents(requests=REQUESTS) -> dict:
    settings = {"release": "r-2", "champion": "r-1"}
    return {lake.replay_key("train-2", "settings/run.json"): settings, lake.paced_key("train-2"): requests}


def test_both_are_sent_every_request_when_it_came_after_each_has_been_warmed_up():
    endpoints = Endpoints({"r-1": 4.0, "r-2": 6.0}, documents())
    timed = pace_replay.pace_replay(ASKED, effects=endpoints.effects())
    assert timed == {
        "requests": 120,
        "seconds": 59.5,
        "champion": {"p50_ms": 4.0, "p99_ms": 4.0, "failed": 0},
        "release": {"p50_ms": 6.0, "p99_ms": 6.0, "failed": 0},
        "why": "",
    }
    assert endpoints.documents[lake.replay_key("train-2", "paced.json")] == timed
    assert endpoints.now == pytest.approx(59.5)
    warm, sent = endpoints.asked[:6], endpoints.asked[6:]
    assert [(release, number) for release, number, _ in warm] == [(r, n) for r in ("r-2", "r-1") for n in range(3)]
    assert sorted((release, number) for release, number, _ in sent) == sorted(
        (release, number) for release in ("r-1", "r-2") for number in range(120)
    )
    assert {wait_s for _, _, wait_s in sent} == {stage.CONFIG.serving.deadline_ms / 1000}


def test_one_that_does_not_answer_took_as_long_as_its_caller_waits():
    deadline_ms = stage.CONFIG.serving.deadline_ms
    timed = pace_replay.pace_replay(ASKED, effects=Endpoints({"r-1": 4.0, "r-2": None}, documents()).effects())
    assert timed["release"] == {"p50_ms": deadline_ms, "p99_ms": deadline_ms, "failed": 120}


@pytest.mark.parametrize(
    ("requests", "champion", "why"),
    [([], "r-1", "as no request was captured"), (REQUESTS, "r-9", "as r-1 is not champion any more")],
)
def test_what_cannot_be_timed_is_said_and_stops_nothing(requests, champion, why):
    endpoints = Endpoints({"r-1": 4.0, "r-2": 6.0}, documents(requests))
    timed = pace_replay.pace_replay(ASKED, effects=endpoints.effects(champion))
    assert timed == {"requests": 0, "seconds": 0.0, "champion": None, "release": None, "why": why}
    assert endpoints.asked == []


@pytest.fixture
def replayed(aws):
    """A champion, r-1, a release, r-2, and a replay of theirs of which the job has left two requests."""
    aws.released()
    aws.route()
    aws.put(stage.ROUTING, item="release#r-2", release="r-2", state="deploying")
    rows = [{name: ROW[name] for name in ROW if name not in ("flight_id", "departure")}]
    requests = [{"after_s": 0.0, "contract_hash": stage.CONTRACT.hash, "rows": rows * size} for size in (1, 2)]
    settings = {"release": "r-2", "champion": "r-1"}
    aws.upload(lake.replay_key("train-2", "settings/run.json"), settings)
    aws.upload(lake.paced_key("train-2"), requests)
    return aws


def test_endpoints_are_asked_as_predict_asks_them(replayed, model):
    model.scores(lambda instance: 0.9)
    assert pace_replay.handler(ASKED, None) == {"requests": 2, "why": ""}
    timed = replayed.document("runs/train-2/replay/paced.json")
    assert all(0 < timed[side]["p50_ms"] <= timed[side]["p99_ms"] for side in ("champion", "release"))
    assert timed["release"]["failed"] == timed["champion"]["failed"] == 0
    assert {endpoint for endpoint, _ in model.calls} == {f"{stage.PREFIX}r-1", f"{stage.PREFIX}r-2"}
    assert sorted(len(rows) for _, rows in model.calls) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_the_judgement_keeps_it_and_stops_a_release_that_is_too_slow_at_its_endpoint(replayed, monkeypatch):
    benchmarks = dataclasses.replace(stage.CONFIG.benchmarks, p99_ms=50.0)
    monkeypatch.setattr(judge_replay, "CONFIG", dataclasses.replace(stage.CONFIG, benchmarks=benchmarks))
    monkeypatch.setattr(judge_replay, "_announce", lambda release, message: None)
    side = {"p50_ms": 2.0, "p99_ms": 40.0, "failed": 0}
    timed = {"requests": 200, "seconds": 60.0, "why": "", "champion": side, "release": {**side, "p99_ms": 80.0}}
    replayed.upload("runs/train-2/replay/summary.json", {**COUNTED, "flips": []})
    replayed.upload("runs/train-2/replay/paced.json", timed)
    judged = judge_replay.handler({"release": "r-2", "run": "train-2", "why": ""}, None)
    assert judged["go_on"] is False and judged["reason"].startswith("latency: p99 80 ms at the endpoint, ")
    assert replayed.item(stage.ROUTING, item="release#r-2")["replay"]["paced"] == timed
