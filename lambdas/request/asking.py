"""Choose what scores the rows: the release's endpoint, or the function itself without one or if it does not answer."""

import time
from datetime import datetime

from lambdas.request import embedded, sleeping
from lambdas.request.carried import MODELS
from lambdas.request.scoring import Call, Scores, ask_all
from lambdas.settings import CONFIG, CONTRACT

CHECKED_UNDER = CONTRACT.hash
# of the deadline, for the function's own answer, which takes microseconds, on a busy processor
SHARE_OF_ENDPOINT = 0.98


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
