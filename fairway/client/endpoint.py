"""Signed requests to a URL, with AWS's usual credentials and kept connections.

botocore is imported only when it is used: the command line imports this package for its errors, and help must not take
the half second that botocore needs.
"""

import re
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from fairway.client.connections import Connections, Reply
from fairway.client.errors import Failed, Refused

OF_AWS = re.compile(r"\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?$")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECTIONS = 64  # kept connections; with more threads, some connect anew for each request

# lazy: an application imports the client before it calls anything; the first Endpoint imports botocore


class Credentials(NamedTuple):
    """Keys that sign a request; `token` belongs to temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None


class Endpoint:
    """Signed requests to one URL. Thread-safe."""

    def __init__(self, url: str, *, region: str | None, credentials: Any, timeout_s: float) -> None:
        from botocore.httpsession import get_cert_path
        from botocore.session import Session

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(
                "url", f"url = {url!r}: must be the API's, such as https://ID.execute-api.REGION.amazonaws.com"
            )
        self.url, self.is_here = url.rstrip("/"), parts.hostname in LOOPBACK
        self._path = urlsplit(self.url).path
        self._session, self._given = Session(), credentials
        self._region = region or self._region_of(parts.hostname)
        ca_file = str(self._session.get_config_variable("ca_bundle") or get_cert_path(True))
        self._connections = Connections(self.url, ca_file=ca_file, timeout_s=timeout_s, kept=CONNECTIONS)

    def send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Reply:
        """Return the reply, whatever its status. Raises Failed if there is none."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        content = {"Content-Type": "application/json"} if data is not None else {}
        request = AWSRequest(method, self.url + path, data=data, headers={**content, **headers})
        SigV4Auth(self._credentials(), "execute-api", self._region).add_auth(request)
        try:
            return self._connections.exchange(method, self._path + path, data, dict(request.headers.items()))
        except (OSError, HTTPException) as error:
            fix = "; is the local AWS running? `fairway up`" if self.is_here else ""
            reason = f"{type(error).__name__} {error}".strip()
            raise Failed("no_reply", f"{method} {self.url}{path}: {reason}{fix}") from None

    def _region_of(self, host: str) -> str:
        match = OF_AWS.search(host)
        region = match["region"] if match else self._session.get_config_variable("region")
        if not region:
            raise Refused(
                "region", f"url = {self.url}: must contain its region; pass region= or set AWS_DEFAULT_REGION"
            )
        return str(region)

    def _credentials(self) -> Any:
        """Return the passed credentials, else those that botocore finds and renews."""
        credentials = self._given or self._session.get_credentials()
        if credentials is None:
            fix = "sign in with `aws configure sso`, set AWS_PROFILE or pass credentials="
            raise Refused("credentials", f"no AWS credentials to sign with; {fix}")
        return credentials.get_frozen_credentials() if hasattr(credentials, "get_frozen_credentials") else credentials
