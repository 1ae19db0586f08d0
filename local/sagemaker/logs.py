"""A container's output as a CloudWatch Logs stream, sent while it runs."""

import logging
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger("sagemaker")
SEND_EVERY_S = 0.5
LINES_PER_CALL = 5_000
LINE_LIMIT = 200_000  # characters; CloudWatch Logs takes 256 KiB per event, 1 MiB per call
CHARACTERS_PER_CALL = 900_000


class LogStream:
    """Lines written at any time, sent twice a second by a thread; `close` sends the rest."""

    def __init__(self, client, group: str, stream: str):
        self.client, self.group, self.stream = client, group, stream
        self._lines: list[tuple[int, str]] = []
        self._ready, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._exists = self._given_up = False
        self._thread = threading.Thread(target=self._send_on, daemon=True, name=f"sagemaker-logs-{stream}")
        self._thread.start()

    def write(self, line: str) -> None:
        with self._lock:
            if self._given_up:
                return
            self._lines.append((int(time.time() * 1000), line[:LINE_LIMIT] or " "))
        self._ready.set()

    def close(self) -> None:
        self._closed.set()
        self._ready.set()
        self._thread.join(timeout=30)

    def _send_on(self) -> None:
        try:
            while not self._closed.is_set():
                self._ready.wait()
                self._closed.wait(SEND_EVERY_S)  # gather lines, so that a chatty job makes few calls
                self._send()
            self._send()
        except (ClientError, BotoCoreError, OSError) as error:
            log.warning("logs of %s %s are not delivered: %s", self.group, self.stream, error)
            with self._lock:  # later lines would never be sent, so they are not kept
                self._given_up, self._lines = True, []

    def _send(self) -> None:
        self._ready.clear()
        with self._lock:
            lines, self._lines = self._lines, []
        for batch in batches(lines):
            self._create()
            self.client.put_log_events(
                logGroupName=self.group,
                logStreamName=self.stream,
                logEvents=[{"timestamp": at, "message": text} for at, text in batch],
            )

    def _create(self) -> None:
        if self._exists:
            return
        taken = self.client.exceptions.ResourceAlreadyExistsException
        for create in (
            lambda: self.client.create_log_group(logGroupName=self.group),
            lambda: self.client.create_log_stream(logGroupName=self.group, logStreamName=self.stream),
        ):
            try:
                create()
            except taken:
                continue
        self._exists = True


def batches(lines: list[tuple[int, str]]):
    batch: list[tuple[int, str]] = []
    characters = 0
    for at, text in lines:
        if batch and (len(batch) == LINES_PER_CALL or characters + len(text) > CHARACTERS_PER_CALL):
            yield batch
            batch, characters = [], 0
        batch.append((at, text))
        characters += len(text)
    if batch:
        yield batch
