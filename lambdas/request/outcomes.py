"""POST /outcomes: what really happened, joined to the prediction it was made for, with what that was worth."""

import os
from datetime import UTC, datetime

from domain.contract.keys import as_key
from domain.contract.values import check_value, is_unicode
from domain.records import LARGEST_NUMBER
from domain.request.outcomes import assess
from domain.timestamps import iso, parse_timestamp
from lambdas import metrics
from lambdas.aws import tables
from lambdas.request.http import BadRequest, Request, TooLarge, http_function, shortened
from lambdas.settings import CONFIG, CONTRACT

PREDICTIONS = os.environ["PREDICTIONS_TABLE"]
OUTCOMES = os.environ["OUTCOMES_TABLE"]
MOST = 100
UNKNOWN = "unknown"  # the event time of an outcome that no prediction tells it for
FORM = "an outcome has prediction_id and outcome, or entity_id, outcome and maybe event_time"
LONGEST = {"prediction_id": 100, "entity_id": 10_000}
FORMS = ({"prediction_id", "outcome"}, {"entity_id", "outcome"}, {"entity_id", "event_time", "outcome"})
PREDICTED = ("prediction", "probability", "release", "role", "source", "made_at")
# A repeated outcome changes nothing; a corrected one, or one whose prediction came later, takes its place.
IS_NEWS = "attribute_not_exists(entity_id) OR outcome <> :outcome OR attribute_not_exists(prediction_id)"


@http_function
def handler(request: Request):
    stored = [
        store_outcome(outcome, received_at=iso(datetime.now(UTC)), find=find_prediction, put=put_outcome)
        for outcome in outcomes_of(request.json())
    ]
    joined = [record for record, _ in stored if "prediction_id" in record]
    unmatched = len(stored) - len(joined)
    print(measured(len(stored), unmatched, news=[record for record, is_news in stored if is_news]))
    return {"accepted": len(stored), "joined": len(joined), "unmatched": unmatched}


def outcomes_of(document) -> list[dict]:
    """The outcomes as the contract writes them. Refuses all of them if one is wrong, and names every problem."""
    sent = document if isinstance(document, list) else [document]
    if len(sent) > MOST:
        raise TooLarge(f"{len(sent)} outcomes; at most {MOST} are taken at once")
    if not sent:
        raise BadRequest(f"send one outcome as an object, or a list of 1 to {MOST} of them")
    checked = [check_outcome(outcome) for outcome in sent]
    problems = [{"row": row, "message": message} for row, (_, found) in enumerate(checked) for message in found]
    if problems:
        raise BadRequest(f"row {problems[0]['row']}: {problems[0]['message']}", problems)
    return [outcome for outcome, _ in checked]


def check_outcome(sent) -> tuple[dict, list[str]]:
    """The outcome with its values in the contract's types, and what is wrong with it."""
    if not isinstance(sent, dict) or set(sent) not in FORMS:
        found = sorted(map(shortened, sent))[:5] if isinstance(sent, dict) else shortened(sent)
        return {}, [f"found {found}; {FORM}"]
    problems = [
        f"{name} = {shortened(sent[name])!r}: must be text of 1 to {most} characters"
        for name, most in LONGEST.items()
        if name in sent and not is_text(sent[name], most)
    ]
    value, broken = check_value(CONTRACT.target, sent["outcome"])
    problems += [f"outcome = {shortened(problem.value)!r}: {problem.rule}, {problem.allowed}" for problem in broken]
    if value is None and not broken:
        problems.append("outcome = None: must have a value; send it once it is known")
    if isinstance(value, float) and not broken and abs(value) >= LARGEST_NUMBER:
        problems.append(f"outcome = {value}: must be below {LARGEST_NUMBER}")
    clean = {**sent, "outcome": value}
    if "entity_id" in sent and not problems:
        clean["entity_id"] = as_key(sent["entity_id"])
    if "event_time" in sent:
        clean["event_time"], wrong = check_event_time(sent["event_time"])
        problems += wrong
    return clean, problems


def is_text(value, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and is_unicode(value)


def check_event_time(text) -> tuple[str | None, list[str]]:
    if CONTRACT.event_time is None:
        return None, ["event_time: the contract has none; leave it away"]
    moment = parse_timestamp(text) if isinstance(text, str) else None
    if moment is None:
        return None, [f"event_time = {shortened(text)!r}: must be ISO 8601 text such as 2013-04-01T09:30:00Z"]
    return iso(moment), []


def store_outcome(outcome: dict, *, received_at: str, find, put) -> tuple[dict, bool]:
    """The record, with a prediction_id if it was joined, and whether it is news: a repeated one is left as it was."""
    record = joined(outcome, find(outcome)) | {"received_at": received_at}
    return record, put(record)


def joined(outcome: dict, prediction: dict | None) -> dict:
    """What is kept of the outcome and of the prediction it belongs to. Predictions themselves never change."""
    if prediction is None:
        entity = outcome.get("entity_id") or f"prediction#{outcome['prediction_id']}"
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


def find_prediction(outcome: dict) -> dict | None:
    """By its id; or the newest of the entity, at the event time if one is given."""
    if "prediction_id" in outcome:
        found = tables.get(PREDICTIONS, {"id": {"S": outcome["prediction_id"]}})
        return found if found and "entity_id" in found else None
    values, at = {":entity": {"S": outcome["entity_id"]}}, {"Limit": 1}
    if "event_time" in outcome:
        values[":at"], at = {"S": outcome["event_time"]}, {"FilterExpression": "event_time = :at"}
    newest_first = tables.query_all(
        PREDICTIONS,
        IndexName="by_entity",
        KeyConditionExpression="entity_id = :entity",
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
        **at,
    )
    return next(newest_first, None)


def put_outcome(record: dict) -> bool:
    return tables.put_if(OUTCOMES, record, condition=IS_NEWS, given={":outcome": record["outcome"]})


def measured(accepted: int, unmatched: int, *, news: list[dict]) -> str:
    """What came in, and what that is worth: once, however often it comes."""
    counts, values = (
        {"Outcomes": accepted, "Unmatched": unmatched},
        [record["value_usd"] for record in news if "value_usd" in record],
    )
    if values:
        counts["ValueUsd"] = sum(values)
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counts)
