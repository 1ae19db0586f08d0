"""Reasons why no model answered a row. Code compares members; people read their text."""

from enum import StrEnum


class Reason(StrEnum):
    """The text of an answer's `reason`, with {} in place of a detail."""

    ROUTING_UNREADABLE = "routing not readable"
    NO_RELEASE = "no release yet"
    NO_ROUTE = "no release answers: {}"
    ENDPOINT_MISSING = "endpoint missing"
    WAKING = "asleep, waking"
    OUTSIDE_HOURS = "outside office hours"
    IDLE = "asleep until the next office hours"
    NOT_READY = "model not ready"
    THROTTLED = "throttled"
    LATE = "deadline of {} passed"
    UNREACHABLE = "endpoint not reachable ({})"
    MODEL_ERROR = "model error {}"
    ENDPOINT_ERROR = "endpoint error {}"
    MALFORMED_ANSWER = "malformed answer"
    ROW_NOT_SCORED = "model could not score the row"
    NOT_A_NUMBER = "model gave no usable number"
    NOT_CARRIED = "model not in the function ({})"
    UNSURE = "model not sure"  # which is no failure: confidence.abstain leaves such answers to the fallback


FAULTS = frozenset(  # failures of the model or its endpoint; cold or late answers, which only took time, are not
    (
        Reason.ENDPOINT_MISSING,
        Reason.UNREACHABLE,
        Reason.MODEL_ERROR,
        Reason.ENDPOINT_ERROR,
        Reason.MALFORMED_ANSWER,
        Reason.ROW_NOT_SCORED,
        Reason.NOT_A_NUMBER,
    )
)
OVERDUE = frozenset((Reason.LATE, Reason.THROTTLED))  # an endpoint that hangs is late at first, then throttled
PLANNED = frozenset((Reason.WAKING, Reason.OUTSIDE_HOURS, Reason.IDLE))  # the endpoint is deleted on purpose
MEANT = PLANNED | {Reason.UNSURE}  # no failures of a release


def is_planned(stored: str) -> bool:
    """Return whether a stored `reason` is planned and raises no alarm; planned reasons have no detail."""
    return stored in PLANNED
