"""What the server writes about its requests, by times that the test gives."""

from types import SimpleNamespace

import pytest

from model_code.answers.reply import Reply
from model_code.http.request_log import MOST_LINES, RequestLog, Stage


def asked(*, since=0.0, whole_at=0.0, body=b"12"):
    return SimpleNamespace(path=b"/invocations", body=body, since=since, whole_at=whole_at)


@pytest.fixture
def log():
    log = RequestLog(write=lambda **fields: log.lines.append(fields))
    log.lines = []
    return log


def test_each_stage_of_what_was_answered_is_told_apart(log):
    log.answered(asked(whole_at=0.4), Reply(b"", rows=3, refused=1), 0.45, 0.4501)
    log.close()
    assert log.lines == [
        {
            "event": "answered",
            "requests": 1,
            "rows": 3,
            "refused_rows": 1,
            "turned_away": 0,
            "refused": 0,
            "slow": 0,
            "read_ms": {"p50": 524.288, "p99": 524.288},
            "wait_ms": {"p50": 65.536, "p99": 65.536},
            "score_ms": {"p50": 0.128, "p99": 0.128},
        }
    ]


def test_a_slow_request_has_a_line_that_says_where_its_time_went(log):
    for whole_at in (0.1, 1.25):
        log.answered(asked(whole_at=whole_at), Reply(b"", rows=2), whole_at + 0.5, whole_at + 0.75)
    spans = {"ms": 2000.0, "read_ms": 1250.0, "wait_ms": 500.0, "score_ms": 250.0}
    assert log.lines == [{"event": "slow", "rows": 2, "path": "/invocations", "bytes": 2, **spans}]


def test_a_failure_has_a_line_and_whoever_is_turned_away_is_counted(log):
    log.answered(asked(whole_at=1.0), Reply(b"{}", status=400, error="bad_request"), 1.0, 1.5)
    log.answered(asked(), Reply(b"{}", status=429, error="too_many_requests"), 0.0, 0.0)
    log.close()
    refused, summary = log.lines
    spans = {"ms": 1500.0, "read_ms": 1000.0, "wait_ms": 0.0, "score_ms": 500.0}
    assert refused == {
        "event": "refused",
        "status": 400,
        "error": "bad_request",
        "path": "/invocations",
        "bytes": 2,
        **spans,
    }
    assert (summary["requests"], summary["turned_away"], summary["refused"]) == (0, 1, 1)


def test_a_flood_of_failures_is_counted_and_not_written(log):
    for _ in range(MOST_LINES + 50):
        log.answered(asked(), Reply(b"{}", status=404, error="not_found"), 0.0, 0.0)
    log.close()
    assert len(log.lines) == MOST_LINES + 1 and log.lines[-1]["refused"] == MOST_LINES + 50
    log.answered(asked(), Reply(b"{}", status=404, error="not_found"), 0.0, 0.0)
    assert log.lines[-1]["event"] == "refused"


def test_a_percentile_is_the_power_of_two_above_it():
    stage = Stage()
    assert stage.summary() == {"p50": 0.0, "p99": 0.0}
    for microseconds in [3] * 98 + [900] * 2:
        stage.add(microseconds / 1e6)
    assert stage.summary() == {"p50": 0.004, "p99": 1.024}
