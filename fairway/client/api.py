"""The API of one stage as methods: signed requests, repeated only if that is safe."""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, overload
from urllib.parse import quote, urlencode

from fairway.client.endpoint import Endpoint
from fairway.client.errors import Failed, Refused
from fairway.client.replies import Outcomes, Prediction, refusal
from fairway.client.values import Row, as_body, checked_text

MOST_ROWS = 100  # rows in one request
PAGE = 100
TIMEOUT_S = 30.0
PAUSES_S = (0.1, 0.4, 1.6)  # pauses between the attempts of a repeatable request
MAY_PASS = (429, 500, 502, 503, 504)


class Fairway:
    """The API of one stage, found by its URL or by a project's folder. Thread-safe.

    Credentials are found and renewed by botocore unless they are passed: Credentials, or those of a botocore session.
    Values may be Python's, numpy's or pandas'; NaN, NA and NaT are null. A wrong request raises Refused with every
    problem; one without an answer, or without permission, raises Failed.
    """

    def __init__(
        self,
        stage: str = "local",
        project: str | Path = ".",
        *,
        url: str | None = None,
        region: str | None = None,
        credentials: Any = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if url is None:
            url, region, credentials = _of_project(Path(project), stage)
        self._endpoint = Endpoint(url, region=region, credentials=credentials, timeout_s=timeout_s)

    @overload
    def predict(self, rows: Row, *, idempotency_key: str | None = None) -> Prediction: ...
    @overload
    def predict(self, rows: Sequence[Row], *, idempotency_key: str | None = None) -> list[Prediction]: ...
    def predict(
        self, rows: Row | Sequence[Row], *, idempotency_key: str | None = None
    ) -> Prediction | list[Prediction]:
        """Return the answer to a row, or the answers to a list of 1 to 100.

        Safe to repeat: one key gives one stored answer.
        """
        key = uuid.uuid4().hex if idempotency_key is None else idempotency_key
        headers = {"Idempotency-Key": checked_text("idempotency_key", key, header=True)}
        reply = self._request("POST", "/predictions", as_body(rows), headers=headers)
        return cast(list[Prediction], reply["predictions"]) if "predictions" in reply else cast(Prediction, reply)

    def prediction(self, prediction_id: str) -> Prediction:
        """Return one stored answer."""
        path = f"/predictions/{quote(checked_text('prediction_id', prediction_id), safe='')}"
        return cast(Prediction, self._request("GET", path))

    def predictions(self, entity_id: str, *, page: int = PAGE) -> Iterator[Prediction]:
        """Iterate over the stored answers for an entity, newest first, requesting `page` of them at a time."""
        asked = {"entity_id": checked_text("entity_id", entity_id), "limit": str(page)}
        following: str | None = ""
        while following is not None:
            query = {**asked, "next": following} if following else asked
            reply = self._request("GET", f"/predictions?{urlencode(query, quote_via=quote)}")
            yield from reply["predictions"]
            following = reply.get("next")

    def outcomes(self, rows: Row | Sequence[Row]) -> Outcomes:
        """Store 1 to 100 outcomes. Each row: entity_id or prediction_id, outcome, and event_time if known.

        Safe to repeat without a key: an outcome is stored under its entity and time.
        """
        return cast(Outcomes, self._request("POST", "/outcomes", as_body(rows)))

    def _request(
        self, method: str, path: str, body: bytes | None = None, *, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the reply's JSON. Failed attempts are repeated, which is safe for every request here."""
        for pause in (*PAUSES_S, None):
            try:
                reply = self._endpoint.send(method, path, body, headers or {})
            except Failed:
                if pause is None:
                    raise
            else:
                if reply.status_code < 300:
                    return cast(dict[str, Any], json.loads(reply.content))
                if pause is None or reply.status_code not in MAY_PASS:
                    raise refusal(reply, f"{method} {path.partition('?')[0]}")
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


def _of_project(folder: Path, stage: str) -> tuple[str, str | None, Any]:
    """Return URL, region and credentials of a project's stage, from the address book of its deployment."""
    try:
        from fairway.stage.aws import connect  # part of the full application, which may not be installed
    except ImportError:
        fix = "pass url=; reading a project's folder needs the full `fairway` package"
        raise Refused(
            "not_installed", f"stage = {stage!r}, project = {str(folder)!r}: only the client is installed; {fix}"
        ) from None
    connection = connect(folder, stage)
    session: Any = connection.session
    return connection.addresses["api_url"], session.region_name, session.get_credentials()
