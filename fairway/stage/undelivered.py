"""The queue of undelivered events: stream records that `capture` gave up, captured again.

Two kinds of message point to records: Lambda's, with a batch's position in the stream, and the capture function's own,
with the URI of one record that was set aside in the lake. All others are other events, and stay.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from domain.lake import split_uri
from domain.request.captured import is_answer
from fairway.stage.aws import Stage

HIDDEN_S = 900  # hidden from other readers while its records are captured
RECORDS_A_CALL = 500
LARGEST_CALL_BYTES = 5_000_000  # of the 6 MB that Lambda takes
Record = dict[str, Any]  # of a stream, as Lambda passes it


class Message(NamedTuple):
    """A message of the queue; `body` is None if it is not a JSON object."""

    id: str
    receipt: str
    sent: datetime
    body: dict[str, Any] | None

    @property
    def batch(self) -> dict[str, Any] | None:
        """Return the position in the stream of a batch that was given up."""
        found: dict[str, Any] | None = (self.body or {}).get("DDBStreamBatchInfo")
        return found

    @property
    def set_aside(self) -> str | None:
        """Return the URI of a record that was set aside."""
        body = self.body or {}
        return str(body["record"]) if body.get("function") == "capture" and "record" in body else None


class Trimmed(Exception):
    """Report that the stream no longer has the records."""


class NotCaptured(Exception):
    """Report that the function failed again; the message is its own."""


class Captured(NamedTuple):
    """How many answers were captured, and how many records were set aside again."""

    captured: int = 0
    set_aside: int = 0


def messages(stage: Stage, until: datetime) -> Iterator[Message]:
    """Yield each message that was sent before `until`, once; it is hidden from other readers meanwhile."""
    sqs = stage.client("sqs")
    seen: set[str] = set()
    while True:
        taken = sqs.receive_message(
            QueueUrl=stage.addresses["undelivered"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        new = [message for message in map(_message, taken) if message.id not in seen]
        seen.update(message.id for message in new)
        yield from (message for message in new if message.sent <= until)
        if not new:
            return


def _message(taken: dict[str, Any]) -> Message:
    sent = datetime.fromtimestamp(int(taken["Attributes"]["SentTimestamp"]) / 1000, UTC)
    try:
        body = json.loads(taken["Body"])
    except ValueError:
        body = None
    return Message(taken["MessageId"], taken["ReceiptHandle"], sent, body if isinstance(body, dict) else None)


def done(stage: Stage, message: Message) -> None:
    """Delete a message whose records are all captured or set aside again."""
    stage.client("sqs").delete_message(QueueUrl=stage.addresses["undelivered"], ReceiptHandle=message.receipt)


def put_back(stage: Stage, message: Message) -> None:
    """Make a message that stays visible again."""
    stage.client("sqs").change_message_visibility(
        QueueUrl=stage.addresses["undelivered"], ReceiptHandle=message.receipt, VisibilityTimeout=0
    )


# ---- the records of a message


def records_of(stage: Stage, message: Message) -> list[Record]:
    """Read the records of a batch from the stream, or the one that was set aside from the lake. Raises Trimmed."""
    if message.batch:
        return [record for record in _of_the_stream(stage, message.batch) if is_answer(record)]
    bucket, key = split_uri(message.set_aside or "")
    s3 = stage.client("s3")
    try:
        return [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["record"]]
    except s3.exceptions.NoSuchKey:
        raise Trimmed(f"{message.set_aside} does not exist any more") from None


def _of_the_stream(stage: Stage, batch: dict[str, Any]) -> Iterator[Record]:
    streams = stage.client("dynamodbstreams")
    last = int(batch["endSequenceNumber"])
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                if int(record["dynamodb"]["SequenceNumber"]) > last:
                    return
                yield _as_lambda_has_it(record)
                if int(record["dynamodb"]["SequenceNumber"]) == last:
                    return
            iterator = page.get("NextShardIterator")
    except (streams.exceptions.TrimmedDataAccessException, streams.exceptions.ResourceNotFoundException):
        raise Trimmed(f"the stream no longer has the records from {batch['startSequenceNumber']} on") from None


def _as_lambda_has_it(record: Record) -> Record:
    """Write the time as a number, as JSON can hold it."""
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    return {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": created.timestamp()}}


# ---- the function


def capture(stage: Stage, records: list[Record]) -> Captured:
    """Let the function capture the records, as the stream would. Raises NotCaptured."""
    found = Captured()
    for call in _calls(records):
        reply = stage.client("lambda").invoke(
            FunctionName=stage.addresses["capture"], Payload=json.dumps({"Records": call}).encode()
        )
        said = json.loads(reply["Payload"].read())
        if reply.get("FunctionError"):
            raise NotCaptured(f"{said.get('errorType')}: {said.get('errorMessage')}")
        found = Captured(found.captured + said["captured"], found.set_aside + said["set_aside"])
    return found


def _calls(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Cut the records, in order, into as many as a call may have."""
    call: list[Record] = []
    size = 0
    for record in records:
        length = len(json.dumps(record))
        if call and (len(call) == RECORDS_A_CALL or size + length > LARGEST_CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(record)
        size += length
    if call:
        yield call
