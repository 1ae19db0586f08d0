"""The Python client: signed requests to a stage's API over connections that are kept.

from fairway.client import Fairway

api = Fairway(stage="prod", project="flights")
api.predict({"carrier": "UA", "origin": "EWR"})["probability"]
"""

import json
import time
import uuid
from pathlib import Path
from urllib.parse import quote, urlencode

from domain.config.sections import LOCAL
from fairway.stage.aws import Stage, connect
from fairway.terminal.errors import Failed, FairwayError, Refused

MOST_ROWS = 100  # in one request
TIMEOUT_S = 30.0
PAUSES_S = (0.1, 0.4, 1.6)  # between the tries of a request that may be repeated
MAY_PASS = (429, 500, 502, 503, 504)


class Fairway:
    """The API of one stage. Thread-safe; credentials are the usual ones of AWS, found and renewed by botocore.

    A row that breaks the contract raises Refused with every problem named; a request that got no answer raises Failed.
    """

    def __init__(
        self,
        stage: str = LOCAL,
        project: str | Path = ".",
        *,
        timeout_s: float = TIMEOUT_S,
        connected: Stage | None = None,
    ):
        from botocore.httpsession import URLLib3Session

        self.stage = connected or connect(Path(project), stage)
        self.url = self.stage.addresses["api_url"].rstrip("/")
        self.http = URLLib3Session(
            timeout=timeout_s, max_pool_connections=16, proxies={} if self.stage.is_local else None
        )

    def predict(self, rows: dict | list[dict], *, idempotency_key: str | None = None) -> dict | list[dict]:
        """The answer to a row, or the answers to up to 100. Repeated safely: one key means one stored answer."""
        key = idempotency_key or uuid.uuid4().hex
        reply = self.request("POST", "/predictions", rows, headers={"Idempotency-Key": key}, repeat=True)
        return reply["predictions"] if isinstance(rows, list) else reply

    def prediction(self, prediction_id: str) -> dict:
        """A stored answer."""
        return self.request("GET", f"/predictions/{quote(prediction_id, safe='')}", repeat=True)

    def predictions(self, entity_id: str) -> list[dict]:
        """The stored answers about an entity."""
        return self.request("GET", f"/predictions?{urlencode({'entity_id': entity_id}, quote_via=quote)}", repeat=True)[
            "predictions"
        ]

    def outcomes(self, rows: dict | list[dict]) -> dict:
        """{accepted, joined, unmatched}. Each row: entity_id or prediction_id, outcome, event_time if known.

        Repeated safely without a key: an outcome is stored under its entity and time.
        """
        return self.request("POST", "/outcomes", rows, repeat=True)

    def request(self, method: str, path: str, body=None, *, headers: dict | None = None, repeat: bool) -> dict:
        """The reply's JSON. With `repeat`, what failed on the way is tried again."""
        data = None if body is None else json.dumps(body, ensure_ascii=False, default=str).encode()
        for pause in (*(PAUSES_S if repeat else ()), None):
            try:
                reply = self.send(method, path, data, headers or {})
            except Failed:  # where there are no credentials to sign with, there will be none in a moment
                if pause is None:
                    raise
            else:
                if reply.status_code < 300:
                    return json.loads(reply.content)
                if pause is None or reply.status_code not in MAY_PASS:
                    raise refused(reply, path)
            time.sleep(pause)

    def send(self, method: str, path: str, data: bytes | None, headers: dict):
        """One signed request; Failed when there was no reply at all."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, HTTPClientError

        request = AWSRequest(
            method, self.url + path, data=data, headers={"Content-Type": "application/json", **headers}
        )
        session = self.stage.session
        credentials = session.get_credentials()
        if credentials is None:
            raise Refused(
                "credentials", "no AWS credentials to sign with; sign in with `aws configure sso` or set AWS_PROFILE"
            )
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", session.region_name).add_auth(request)
        try:
            return self.http.send(request.prepare())
        except (BotoCoreError, HTTPClientError) as error:
            fix = "; is the local AWS running? `fairway up`" if self.stage.is_local else ""
            raise Failed("no_reply", f"{method} {self.url}{path}: {error}{fix}") from None


def refused(reply, path: str) -> FairwayError:
    """What the API said, as an error: 4xx was asked wrongly, except for what the caller may not do."""
    try:
        said = json.loads(reply.content)
    except ValueError:
        said = {}
    message = (
        said.get("message") or said.get("Message") or reply.content.decode(errors="replace")[:200] or "no reason given"
    )
    problems = "".join(
        f"\n  {problem.get('message') or problem}" for problem in said.get("problems", []) if isinstance(problem, dict)
    )
    kind = Refused if 400 <= reply.status_code < 500 and reply.status_code not in (401, 403, 429) else Failed
    return kind(
        said.get("error") or f"http_{reply.status_code}", f"{path} answered {reply.status_code}: {message}{problems}"
    )
