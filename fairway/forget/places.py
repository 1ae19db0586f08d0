"""Every place that may hold an entity's data, in the order of removal.

Answers come first, after the evidence that they name, so that what is requested or captured meanwhile is found in the
later places.
"""

from fairway.forget.batches import forget_batches
from fairway.forget.captured import forget_captured, forget_set_aside
from fairway.forget.evidence import forget_evidence
from fairway.forget.loads import forget_quarantine, forget_rows
from fairway.forget.outcomes import forget_outcomes
from fairway.forget.place import Place
from fairway.forget.predictions import forget_predictions, forget_requests

PLACES: dict[str, Place] = {
    "evidence": forget_evidence,
    "predictions": forget_predictions,
    "remembered requests": forget_requests,
    "outcomes": forget_outcomes,
    "captured": forget_captured,
    "set aside by the capture": forget_set_aside,
    "batches": forget_batches,
    "quarantine": forget_quarantine,
    "rows": forget_rows,
}
