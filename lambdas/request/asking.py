"""Who is asked for scores: the release's endpoint, and the function itself where it has none or it does not answer."""

import time
from datetime import datetime

from lambdas.request import embedded, sleeping
from lambdas.request.carried import MODELS
from lambdas.request.scoring import Call, Scores, ask_all
from lambdas.settings import CONFIG, CONTRACT

CHECKED_UNDER = CONTRACT.hash
SHARE_OF_ENDPOINT = 0.98  # of the deadline: the function's own answer takes microseconds, and a busy processor


def ask(calls: list[Call], *, now: datetime) -> list[Scores]:
    """Return the scores of each call, or the reason why there are none, by the deadline."""
    deadline_ms = CONFIG.serving.deadline_ms
    if CONFIG.serving.mode == "function":
        return embedded.answer_all(calls, models=MODELS, checked_under=CHECKED_UNDER, deadline_ms=deadline_ms)
    ends = time.monotonic() + deadline_ms / 1000
    replies = ask_all(
        calls,
        checked_under=CHECKED_UNDER,
        deadline_ms=deadline_ms,
        waits_ms=deadline_ms * SHARE_OF_ENDPOINT,
        meanwhile=lambda: MODELS.begin(calls),
    )
    replies = sleeping.with_reasons(replies, now=now, wake=lambda: sleeping.wake(now))
    return embedded.stand_in(calls, replies, models=MODELS, checked_under=CHECKED_UNDER, ends=ends)
