"""Answer in the function itself with the model of an endpoint, in place of one or when it failed."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from domain.reasons import Reason
from domain.request.answers import Source
from lambdas.request.scoring import Call, ModelFailed, Scores, body_of, failure_of_call, scores_of

LOG = logging.getLogger("fairway")
Answer = Callable[[bytes], bytes]  # the body of a request to the body of the reply, as an endpoint gives it
MOST_KEPT = 4  # models in memory: a champion, its challengers, and those before them
AGAIN_S = 30.0  # after which a model that could not be opened is tried again


class Models:
    """Models by release, each opened once by a thread; callers wait no longer than their deadline."""

    def __init__(self, open_release: Callable[[str], Answer], *, clock: Callable[[], float] = time.monotonic):
        self._open_release, self._clock = open_release, clock
        self._opened: dict[str, Future[Answer]] = {}
        self._begun_at: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="open")

    def begin(self, calls: list[Call]) -> None:
        """Start opening the models of these calls."""
        for call in calls:
            self.opened(call.release)

    def opened(self, release: str) -> Future[Answer]:
        """Return the model that is open or being opened."""
        future = self._opened.pop(release, None)
        if future is None or self._is_to_be_tried_again(release, future):
            future = self._threads.submit(self._open, release)
            self._begun_at[release] = self._clock()
        self._opened[release] = future  # newest last
        for oldest in list(self._opened)[:-MOST_KEPT]:
            self._opened.pop(oldest, None)
        return future

    def _is_to_be_tried_again(self, release: str, future: Future[Answer]) -> bool:
        failed = future.done() and future.exception() is not None
        return failed and self._clock() - self._begun_at[release] >= AGAIN_S

    def _open(self, release: str) -> Answer:
        try:
            return self._open_release(release)
        except Exception as error:
            LOG.warning("release %s is not carried: %s: %s", release, type(error).__name__, error)
            raise


def answer_all(calls: list[Call], *, models: Models, checked_under: str, deadline_ms: int) -> list[Scores]:
    """Answer all calls here; the first one of a release opens its model and waits for it until the deadline."""
    ends = time.monotonic() + deadline_ms / 1000
    models.begin(calls)
    replies = []
    for call in calls:
        try:
            replies.append(_answer(call, models, checked_under=checked_under, ends=ends))
        except TimeoutError:
            replies.append(_failed(call, ModelFailed(Reason.LATE, f"{deadline_ms} ms")))
        except Exception as error:  # noqa: BLE001 whatever keeps the model away, customers still get an answer
            failed = error if isinstance(error, ModelFailed) else ModelFailed(Reason.NOT_CARRIED, type(error).__name__)
            replies.append(_failed(call, failed))
    return replies


def stand_in(
    calls: list[Call], replies: list[Scores], *, models: Models, checked_under: str, ends: float
) -> list[Scores]:
    """Answer the calls that an endpoint did not, where that can be done until `ends`; the others stay as they are."""
    unanswered = [call for call, reply in zip(calls, replies, strict=True) if failure_of_call(reply)]
    models.begin(unanswered)
    return [
        _instead(call, reply, models, checked_under=checked_under, ends=ends)
        for call, reply in zip(calls, replies, strict=True)
    ]


def _instead(call: Call, reply: Scores, models: Models, *, checked_under: str, ends: float) -> Scores:
    failure = failure_of_call(reply)
    if failure is None:
        return reply
    try:
        answered = _answer(call, models, checked_under=checked_under, ends=ends)
    except Exception as error:  # noqa: BLE001 the endpoint's own failure is the reason that counts
        LOG.warning("no stand-in for endpoint %s: %s", call.endpoint, type(error).__name__)
        return reply
    return answered._replace(instead_of=failure)


def _answer(call: Call, models: Models, *, checked_under: str, ends: float) -> Scores:
    answer = models.opened(call.release).result(timeout=max(0.0, ends - time.monotonic()))
    began = time.monotonic()
    body = answer(body_of(call, checked_under=checked_under))
    took_ms = round(1000 * (time.monotonic() - began), 3)
    return scores_of(body, len(call.rows), contract=call.contract)._replace(source=Source.FUNCTION, took_ms=took_ms)


def _failed(call: Call, failure: ModelFailed) -> Scores:
    return Scores([failure] * len(call.rows))
