"""Replies of the API: answers as typed records, refusals as errors."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

from fairway.client.errors import Failed, FairwayError, Refused

MOST_NAMED = 10  # problems, in the text of an error
SKEW_S = 300  # AWS accepts no signature that is older or newer than this
NOT_ALLOWED = (401, 403)


class _Always(TypedDict):
    id: str
    entity_id: str
    prediction: Any
    probability: float | None
    release: str | None
    role: str | None
    source: str  # "model" (the release's endpoint), "function" (its model in predict itself) or "fallback"
    reason: str
    made_at: str
    event_time: str | None


class Confidence(TypedDict, total=False):
    """How sure an answer is; what the task does not have, or nobody has counted, is omitted."""

    coverage: float  # the outcome is in the set or the interval with this probability
    rows: int  # that the coverage rests on
    set: list[Any] | None  # of outcomes; None: any
    interval: list[float] | None  # of a value, low and high end; None: any value
    unusual: bool  # true if no outcome was likely enough, so that the set has the likeliest
    probability: float  # that it happens, or that the class is right, as in similar cases
    low: float  # of that probability, if one more such case had not happened
    high: float  # and if it had
    cases: int  # similar ones
    happened: int  # of these
    flagged: bool  # true if a person should look at the answer
    says: str  # the cases in a sentence


class Prediction(_Always, total=False):
    """One stored answer. `prediction` is a boolean, a class or a number, depending on the task."""

    confidence: Confidence  # not of a batch

    threshold: float  # that the decision was made by, where that is not the stage's own
    arm: str  # of a rollout or an experiment; the champion's is "champion"
    rollout: str  # that the answer is evidence for, whichever release answered
    share: float  # of the entities that the rollout's arm had at that time, above 0 and below 1
    instead_of: str  # why the endpoint did not answer, if source is "function" and there is an endpoint
    probabilities: dict[str, float]  # of each class, if there are more than two


class Outcomes(TypedDict):
    """Number of stored outcomes, and of those that belong to a stored prediction."""

    accepted: int
    joined: int
    unmatched: int


def refusal(reply: Any, request: str, *, now: datetime | None = None) -> FairwayError:
    """Make the error of a reply (status_code, headers, content) to `request`, such as "POST /predictions".

    4xx means a wrong request, except if the caller has no permission or sent too many requests.
    """
    document, status = _document(reply.content), reply.status_code
    reason = document.get("message") or document.get("Message") or _text(reply.content) or "no reason given"
    problems = [problem for problem in document.get("problems", []) if isinstance(problem, dict)]
    named = "".join(f"\n  {problem.get('message') or problem}" for problem in problems[:MOST_NAMED])
    named += f"\n  and {len(problems) - MOST_NAMED} more, all in `problems`" if len(problems) > MOST_NAMED else ""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    request_id = headers.get("apigw-requestid") or headers.get("x-amzn-requestid")
    skew = _skew(headers.get("date"), now or datetime.now(UTC)) if status in NOT_ALLOWED else None
    known = {"status": status, "problems": problems, "request_id": request_id}
    if skew:
        return Failed("clock", f"{request}: refused, since {skew}; set the clock of this computer", **known)
    traced = f" (request {request_id})" if request_id and (status >= 500 or status in NOT_ALLOWED) else ""
    kind = Refused if 400 <= status < 500 and status not in (*NOT_ALLOWED, 429) else Failed
    code = document.get("error") or f"http_{status}"
    return kind(code, f"{request}: answered {status}: {reason}{traced}{named}", **known)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(content: bytes) -> str:
    return content.decode(errors="replace")[:200].strip()


def _skew(date: str | None, now: datetime) -> str | None:
    """Describe how far the clock here is from the API's; None if that is not why it refused."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    if theirs.tzinfo is None or abs((now - theirs).total_seconds()) < SKEW_S:
        return None
    return f"the clock here shows {now:%Y-%m-%d %H:%M:%S} UTC and the API's {theirs:%Y-%m-%d %H:%M:%S} UTC"
