"""Event source mappings of DynamoDB's streams: filter, batch, window, bisection, bounded retries, destination.

MiniStack's own poller filters and batches, and repeats a failing batch for as long as its records live.
"""

import asyncio
import threading
import time
from dataclasses import dataclass

from ministack.services import dynamodb, lambda_svc

from local.ministack import metrics, stream_records, stream_roles
from local.ministack.stream_batches import After, Batch, Reading, left_of, within_a_call
from local.ministack.stream_records import Place, Streams

DYNAMODB, LAMBDA = "ministack.services.dynamodb", "ministack.services.lambda_svc"
HOOKS = (
    *(
        f"{LAMBDA}:{name}"
        for name in (
            "_ESM_BACKOFF_SECONDS",
            "_apply_filter_criteria",
            "_dispatch_esm_batch",
            "_esm_backoff_until",
            "_esm_inflight",
            "_execute_function",
            "_get_func_record_for_qualifier",
            "_iter_all_esms",
            "_poll_dynamodb_streams",
            "_request_account_id",
            "_request_region",
            "_send_ddb_stream_failure_record",
        )
    ),
    f"{DYNAMODB}:stream_records_since",
    f"{DYNAMODB}:stream_start_position",
)
LONGEST_WRITE_S = 60


@dataclass(frozen=True)
class Source:
    """A mapping with its positions, and the function that it calls."""

    mapping: dict
    place: Place
    table: Place
    function: dict


def register() -> None:
    poller = Poller(lambda_svc, stream_records.registered())
    lambda_svc._poll_dynamodb_streams, lambda_svc.fairway_poller = poller.poll, poller


def registered() -> "Poller":
    poller: Poller = lambda_svc.fairway_poller
    return poller


class Poller:
    """Reads the streams and calls the functions, one batch of a mapping at a time."""

    def __init__(self, lambda_svc, streams: Streams):
        self.lambda_svc, self.dynamodb, self.streams = lambda_svc, dynamodb, streams
        self.readings: dict[Place, Reading] = {}
        self.open = threading.Event()
        self.open.set()
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, or begin again after `open` was cleared: functions can be called now."""
        self.loop = loop
        self.open.set()

    def poll(self) -> bool:
        """Call the functions of the mappings that have records; return whether any had."""
        if not self.open.is_set():
            return False
        everybody = self.lambda_svc._iter_all_esms()
        return any([self._poll_one(account, region, mapping) for account, region, mapping in everybody])  # noqa: C419 - each

    def _poll_one(self, account: str, region: str, mapping: dict) -> bool:
        tokens = self.lambda_svc._request_account_id.set(account), self.lambda_svc._request_region.set(region)
        try:
            source = self._source(account, region, mapping)
            return source is not None and self._begin(source)
        finally:
            self.lambda_svc._request_account_id.reset(tokens[0])
            self.lambda_svc._request_region.reset(tokens[1])

    def _source(self, account: str, region: str, mapping: dict) -> Source | None:
        """Return the source of a mapping that reads a table's stream and can be read now, else None."""
        arn = mapping.get("EventSourceArn", "")
        if not mapping.get("Enabled", True) or ":dynamodb:" not in arn:
            return None
        name = arn.split(":table/")[1].split("/")[0]
        table = self.dynamodb._tables.get(name)
        function, _ = self.lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        busy = mapping["UUID"] in self.lambda_svc._esm_inflight
        waits = self.lambda_svc._esm_backoff_until.get(mapping["UUID"], 0) > time.time()
        if table is None or table.get("LatestStreamArn") != arn or function is None or busy or waits:
            return None
        return Source(mapping, (account, region, mapping["UUID"]), (account, region, name), function)

    def _begin(self, source: Source) -> bool:
        """Start the next batch, if it is due, and call the function in its own thread."""
        batch = self._next(source)
        if batch is None:
            return False
        if batch.records:
            self.lambda_svc._dispatch_esm_batch(source.mapping["UUID"], self._deliver, source, batch)
        else:
            self._take(source, batch.end)
        return True

    def _next(self, source: Source) -> Batch | None:
        mapping, name = source.mapping, source.table[2]
        reading = self.readings.setdefault(source.place, Reading())
        horizon = self.dynamodb.stream_start_position(name)
        start = max(self.lambda_svc._dynamodb_stream_positions.get(mapping["UUID"], horizon), horizon)
        most = reading.most(start, int(mapping.get("BatchSize", 100)))
        found = self.dynamodb.stream_records_since(name, start, most)
        if not found or not reading.is_due(mapping, is_full=len(found) == most):
            return None
        reading.since = None
        wants = self.lambda_svc._apply_filter_criteria
        wanted = [(start + number, each) for number, each in enumerate(found) if wants([each], mapping)]
        return within_a_call(Batch(wanted, start + len(found)))

    def _deliver(self, source: Source, batch: Batch) -> None:
        called = {"FunctionName": source.function["config"]["FunctionName"]}
        metrics.record("AWS/Lambda", "IteratorAge", batch.age_ms(time.time()), "Milliseconds", called)
        result = self.lambda_svc._execute_function(source.function, batch.event)
        failed = batch if result.get("error") else left_of(batch, source.mapping, result.get("body"))
        if failed is None:
            source.mapping["LastProcessingResult"] = f"OK - {len(batch.records)} records"
            self._take(source, batch.end)
            return
        source.mapping["LastProcessingResult"] = "FAILED"
        log = str(result.get("log", ""))[-2000:]
        self.lambda_svc.logger.warning("%s failed: %s\n%s", source.mapping["FunctionName"], result.get("body"), log)
        if failed is not batch:
            self._take(source, failed.records[0][0])
        self._try_again(source, failed, result)

    def _try_again(self, source: Source, batch: Batch, result: dict) -> None:
        """Halve the batch, or let it wait, or give it up to the destination."""
        mapping = source.mapping
        after = self.readings[source.place].failed(mapping, batch)
        if after is After.AGAIN:
            self.lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + self.lambda_svc._ESM_BACKOFF_SECONDS
        elif after.value:
            arn = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
            if stream_roles.may_send(source.function, arn):
                self.lambda_svc._send_ddb_stream_failure_record(
                    mapping, source.function, batch.event["Records"], mapping["EventSourceArn"], result, after.value
                )
            elif arn:
                self.lambda_svc.logger.warning("%s may not send to %s", source.mapping["FunctionName"], arn)
            self._take(source, batch.end)

    def _take(self, source: Source, position: int) -> None:
        """Continue after the batch, once that is on disk: a kill repeats only one batch, from its beginning."""
        self.readings[source.place].tries = 0
        self.streams.advance(source.place, source.table, position)
        if self.streams.journal is not None and self.loop is not None:
            asyncio.run_coroutine_threadsafe(self.streams.journal.settled(), self.loop).result(LONGEST_WRITE_S)
