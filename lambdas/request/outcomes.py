"""POST /outcomes: join each outcome to its prediction, and store it with its value."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypedDict, cast

from domain.contract.keys import as_key
from domain.contract.values import check_value, described, is_unicode
from domain.names import Metric
from domain.records import LARGEST_NUMBER, UNKNOWN, Item, from_item, outcome_key, to_item, to_number, unjoined_entity
from domain.release.counts import counts_key
from domain.request.limits import LONGEST_ENTITY_ID, LONGEST_PREDICTION_ID, MOST_ROWS
from domain.request.outcomes import assess, still_to_come
from domain.timestamps import iso, parse_timestamp
from domain.watch import happened
from lambdas import metrics
from lambdas.aws import tables
from lambdas.request import evidence, stored
from lambdas.request.http import BadRequest, Request, TooLarge, Unavailable, http_function, shortened
from lambdas.settings import CONFIG, CONTRACT

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
OUTCOMES = os.environ["OUTCOMES_TABLE"]
EVIDENCE = os.environ["EVIDENCE_TABLE"]
TRIES = 5  # attempts while others send the same outcome
FORM = "an outcome has prediction_id and outcome, or entity_id, outcome and optionally event_time"
LONGEST = {"prediction_id": LONGEST_PREDICTION_ID, "entity_id": LONGEST_ENTITY_ID}
Sent = dict[str, Any]  # an outcome in one of FORMS
Record = dict[str, Any]  # item of the outcomes or predictions table
FORMS = ({"prediction_id", "outcome"}, {"entity_id", "outcome"}, {"entity_id", "event_time", "outcome"})
PREDICTED = ("prediction", "probability", "release", "role", "source", "made_at")
# A repeated outcome changes nothing; a corrected one, or one whose prediction came later, replaces it.
IS_NEWS = "attribute_not_exists(entity_id) OR outcome <> :outcome OR attribute_not_exists(prediction_id)"


class Key(TypedDict):
    """Key of an item of the evidence table, in plain values."""

    rollout: str
    item: str


class Counted(Key):
    """What an outcome has added to that item; it is kept with its record, and taken back when that is corrected."""

    adds: dict[str, float]


@http_function
def handler(request: Request) -> dict[str, int]:
    now = datetime.now(UTC)
    records = [
        _store(
            outcome,
            received_at=iso(now),
            find=lambda outcome: _find_prediction(outcome, now),
            put=_put_outcome,
            remove=_remove_outcome,
        )
        for outcome in _outcomes_of(request.json())
    ]
    joined = [record for record, _ in records if "prediction_id" in record]
    unmatched = len(records) - len(joined)
    print(_measured(len(records), unmatched, news=[record for record, is_news in records if is_news]))
    return {"accepted": len(records), "joined": len(joined), "unmatched": unmatched}


def _outcomes_of(document: Any) -> list[Sent]:
    """Return the outcomes as the contract writes them. If one is wrong, refuses all of them and names every problem."""
    sent = document if isinstance(document, list) else [document]
    if len(sent) > MOST_ROWS:
        raise TooLarge(f"{len(sent)} outcomes: must be at most {MOST_ROWS} in a request")
    if not sent:
        raise BadRequest(f"send one outcome as an object, or a list of 1 to {MOST_ROWS} of them")
    checked = [_check_outcome(outcome) for outcome in sent]
    problems = [{"row": row, "message": message} for row, (_, broken) in enumerate(checked) for message in broken]
    if problems:
        raise BadRequest(f"row {problems[0]['row']}: {problems[0]['message']}", problems)
    return [outcome for outcome, _ in checked]


def _check_outcome(sent: Any) -> tuple[Sent, list[str]]:
    """Convert the outcome to the contract's types, and list its problems."""
    if not isinstance(sent, dict) or set(sent) not in FORMS:
        keys = sorted(str(shortened(key)) for key in sent)[:5] if isinstance(sent, dict) else shortened(sent)
        return {}, [f"found {keys}; {FORM}"]
    problems = [
        f"{name} = {shortened(sent[name])!r}: must be text of 1 to {most} characters"
        for name, most in LONGEST.items()
        if name in sent and not _is_text(sent[name], most)
    ]
    value, broken = check_value(CONTRACT.target, sent["outcome"])
    problems += [
        described("outcome", repr(shortened(problem.value)), problem.rule, problem.allowed) for problem in broken
    ]
    if value is None and not broken:
        problems.append("outcome = None: must have a value; send it once it is known")
    if isinstance(value, float) and not broken and abs(value) >= LARGEST_NUMBER:
        problems.append(f"outcome = {value}: must be below {LARGEST_NUMBER}")
    clean = {**sent, "outcome": value}
    if "entity_id" in sent and not problems:
        clean["entity_id"] = as_key(sent["entity_id"])
    if "event_time" in sent:
        clean["event_time"], wrong = _check_event_time(sent["event_time"])
        problems += wrong
    return clean, problems


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and is_unicode(value)


def _check_event_time(text: object) -> tuple[str | None, list[str]]:
    if CONTRACT.event_time is None:
        return None, ["event_time: must be left out, as the contract has none; omit it"]
    moment = parse_timestamp(text) if isinstance(text, str) else None
    if moment is None:
        return None, [f"event_time = {shortened(text)!r}: must be ISO 8601 text such as 2013-04-01T09:30:00Z"]
    ahead = still_to_come(moment, datetime.now(UTC))
    return iso(moment), [f"event_time = {shortened(text)!r}: {ahead}"] if ahead else []


def _store(
    outcome: Sent,
    *,
    received_at: str,
    find: Callable[[Sent], Record | None],
    put: Callable[[Record, Record | None], bool],
    remove: Callable[[Record], None],
) -> tuple[Record, bool]:
    """Store the record, with a prediction_id if it was joined; also return whether it is new and not a repetition.

    The record of an outcome that came before its prediction is removed once the same outcome comes again and is joined,
    whichever of the two named the entity and which the prediction. The joined record is stored first: if the function
    is killed in between, nothing is lost, and the next repetition removes the other.
    """
    prediction = find(outcome)
    record = _joined(outcome, prediction) | {"received_at": received_at}
    is_news = put(record, prediction)
    if prediction is not None:
        for earlier in _before(outcome, prediction):
            remove(_joined(earlier, None))
    return record, is_news


def _before(outcome: Sent, prediction: Record) -> list[Sent]:
    """Return the forms in which the outcome may have come before its prediction.

    One with an event time of its own says nothing about another without one.
    """
    value = outcome["outcome"]
    by_id: Sent = {"prediction_id": prediction["id"], "outcome": value}
    by_entity: Sent = {"entity_id": prediction["entity_id"], "outcome": value}
    return [by_id] if "event_time" in outcome else [by_id, by_entity]


def _joined(outcome: Sent, prediction: Record | None) -> Record:
    """Make the record of an outcome and its prediction. Predictions themselves never change."""
    if prediction is None:
        entity = outcome.get("entity_id") or unjoined_entity(outcome["prediction_id"])
        return {"entity_id": entity, "event_time": outcome.get("event_time", UNKNOWN), "outcome": outcome["outcome"]}
    worth = assess(CONTRACT, CONFIG.business, prediction=prediction["prediction"], outcome=outcome["outcome"])
    return {
        "entity_id": prediction["entity_id"],
        "event_time": prediction.get("event_time") or prediction["made_at"],
        "outcome": outcome["outcome"],
        "prediction_id": prediction["id"],
        **{name: prediction.get(name) for name in PREDICTED},
        **worth,
    }


def _find_prediction(outcome: Sent, now: datetime) -> Record | None:
    """Find the prediction by its id, or the newest of the entity, at the event time if one is sent."""
    if "prediction_id" in outcome:
        return stored.prediction(PREDICTIONS, outcome["prediction_id"], now=now)
    return stored.newest_of_entity(PREDICTIONS, outcome["entity_id"], now=now, at=outcome.get("event_time"))


def _counted(prediction: Record, outcome: Any, before: Record | None) -> tuple[list[Counted], list[dict[str, Any]]]:
    """Return where and what an outcome counts: in the window of its prediction, and as evidence of a rollout; and the
    writes without which it must not.
    """
    as_evidence, guards = _as_evidence(prediction, outcome, before)
    found = (_in_window(prediction, outcome), as_evidence)
    return [each for each in found if each is not None], guards


def _in_window(prediction: Record, outcome: Any) -> Counted | None:
    """Return what it adds to the window in which the release gave the answer; None where no model gave it."""
    window = happened.window_of(prediction, CONFIG.monitoring.window_days)
    if window is None or not happened.is_counted(prediction):
        return None
    decided = happened.at_usual_threshold(prediction, CONFIG.serving.threshold)
    adds = happened.adds(CONTRACT, CONFIG.business, prediction=decided, outcome=outcome)
    return _counted_at(happened.sums_key(prediction["release"], window, prediction["id"]), adds)


def _as_evidence(
    prediction: Record, outcome: Any, before: Record | None
) -> tuple[Counted | None, list[dict[str, Any]]]:
    """Return what it adds to a rollout, None where that is nothing, and the writes that guard it."""
    if not _is_of_rollout(prediction):
        return None, []
    adds, guards = evidence.of_outcome(
        EVIDENCE, prediction, outcome, before=before, contract=CONTRACT, business=CONFIG.business
    )
    return (_counted_at(counts_key(prediction["rollout"], prediction["share"]), adds) if adds else None), guards


def _is_of_rollout(prediction: Record) -> bool:
    return "rollout" in prediction and "share" in prediction


def _counted_at(key: Item, adds: dict[str, float]) -> Counted:
    return {**cast(Key, from_item(key)), "adds": adds}


def _put_outcome(record: Record, prediction: Record | None) -> bool:
    """Store the record if it is news, and what it counts with it, all or nothing."""
    if prediction is None or not (_in_window(prediction, record["outcome"]) or _is_of_rollout(prediction)):
        return tables.put_if(OUTCOMES, record, condition=IS_NEWS, given={":outcome": record["outcome"]})
    for _ in range(TRIES):
        before = tables.get(OUTCOMES, outcome_key(record["entity_id"], record["event_time"]))
        if before and before["outcome"] == record["outcome"] and "prediction_id" in before:
            return False
        counted, guards = _counted(prediction, record["outcome"], before)
        if not tables.refused(_counting(record, counted, guards, before)):
            return True
    raise Unavailable("the same outcome is being reported by others, so it was not stored; trying again is safe")


def _counting(
    record: Record, counted: list[Counted], guards: list[dict[str, Any]], before: Record | None
) -> list[dict[str, Any]]:
    """Make the writes of a record and of what it counts: a correction takes back what the outcome before it added."""
    unchanged, given = "attribute_not_exists(entity_id)", {}
    if before:
        unchanged, given = (
            "received_at = :before",
            {"ExpressionAttributeValues": to_item({":before": before["received_at"]})},
        )
    put = {
        "TableName": OUTCOMES,
        "Item": to_item({**record, "counted": counted}),
        "ConditionExpression": unchanged,
        **given,
    }
    taken_back: list[Counted] = before.get("counted") or [] if before else []
    sums: dict[tuple[str, str], dict[str, Decimal]] = {}  # exact, as the table's are: what is taken back is gone
    for sign, each in [*((1, one) for one in counted), *((-1, one) for one in taken_back)]:
        numbers = sums.setdefault((each["rollout"], each["item"]), {})
        for name, number in each["adds"].items():
            numbers[name] = numbers.get(name, Decimal()) + sign * Decimal(to_number(number))
    updates = [tables.adding(to_item({"rollout": at[0], "item": at[1]}), numbers) for at, numbers in sums.items()]
    return [{"Put": put}, *guards, *({"Update": {"TableName": EVIDENCE, **update}} for update in updates)]


def _remove_outcome(record: Record) -> None:
    """Remove the record without a prediction if it has the same outcome; another one may be of an earlier event."""
    key = outcome_key(record["entity_id"], record["event_time"])
    if tables.get(OUTCOMES, key):  # most have none, and a read costs less than a write
        tables.remove_if(OUTCOMES, key, condition="outcome = :outcome", given={":outcome": record["outcome"]})


def _measured(accepted: int, unmatched: int, *, news: list[Record]) -> str:
    """Write the metrics; the value of an outcome counts once, however often it is sent."""
    counts: dict[str, float] = {Metric.OUTCOMES: accepted, Metric.UNMATCHED: unmatched}
    values = [record["value_usd"] for record in news if "value_usd" in record]
    if values:
        counts[Metric.VALUE_USD] = sum(values)
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counts)
