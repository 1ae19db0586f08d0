"""Whatever is asked in whatever order, whoever is killed wherever: one key has one answer, and it is stored once."""

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.release.routing import EMPTY, promote
from lambdas.request.http import Conflict
from lambdas.request.predict import predict
from lambdas.request.scoring import Scores
from tests.lambdas.request.predict.asking import row

NOW = datetime(2013, 4, 1, tzinfo=UTC)
ROUTING = promote(EMPTY, release="r-1", endpoint="e", at="2013-04-01T00:00:00Z", reason="the first")
STEPS = ("recall", "remember", "remembered", "save", "saved")


class Killed(Exception):
    pass


class Memory:
    """What `Answered` promises, in memory, with a kill before or after any of its writes."""

    def __init__(self):
        self.requests, self.stored, self.kill_at = {}, {}, None

    def step(self, name: str) -> None:
        if name == self.kill_at:
            raise Killed(name)

    def recall(self, key, fingerprint, now):
        self.step("recall")
        known = self.requests.get(key)
        if known and known[0] != fingerprint:
            raise Conflict("another body")
        return known[1] if known else None

    def remember(self, key, fingerprint, answers, now):
        self.step("remember")
        self.requests.setdefault(key, (fingerprint, answers))
        self.step("remembered")
        return self.recall(key, fingerprint, now)

    def save(self, records):
        self.step("save")
        self.stored |= {record["id"]: record for record in records}
        self.step("saved")


requests = st.tuples(
    st.sampled_from(["key 1", "key 2"]), st.sampled_from(["body 1", "body 2"]), st.none() | st.sampled_from(STEPS)
)


@given(st.lists(requests, max_size=12))
def test_one_key_has_one_answer(asked):
    memory, scores, given_before, body_of = Memory(), itertools.count(1), {}, {}
    for key, body, kill_at in asked:
        memory.kill_at = kill_at
        try:
            answers, _ = predict(
                [row(body), row(body, hour=6)],
                key=key,
                now=NOW,
                route=lambda: ROUTING,
                ask=lambda calls: [Scores([next(scores) / 1000, next(scores) / 1000]) for _ in calls],
                answered=memory,
            )
        except Killed:
            continue
        except Conflict:
            assert memory.requests[key][1][0]["entity_id"] != body
            continue
        assert body_of.setdefault(key, body) == body
        assert given_before.setdefault(key, answers) == answers
        for answer in answers:
            stored = memory.stored[answer["id"]]
            assert {name: stored[name] for name in answer} == answer
    assert len(memory.stored) <= 2 * len(memory.requests)
