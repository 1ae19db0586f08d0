"""AWS Signature Version 4 with the standard library: the headers by which AWS knows who sends a request.

botocore's own signer gives the same signatures (the tests hold the two together), but importing it costs a cold start
more than everything else that `predict` loads. https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNQUOTED = "/-_.~"  # characters of a path that are not escaped, beside letters and digits


class Credentials(NamedTuple):
    """Credentials of the function's role; Lambda passes them to a process once, and replaces it before they expire."""

    access_key: str
    secret_key: str
    session_token: str | None = None


def signed(
    headers: dict[str, str],
    body: bytes,
    *,
    path: str,
    credentials: Credentials,
    service: str,
    region: str,
    at: datetime,
    method: str = "POST",
) -> dict[str, str]:
    """Sign the headers of a request to a path. Header names are in lower case and include `host`."""
    timestamp = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    token = {"x-amz-security-token": credentials.session_token} if credentials.session_token else {}
    headers = {**headers, "x-amz-date": timestamp, **token}
    names = ";".join(sorted(headers))
    request = _canonical(method, path, headers, names, hashlib.sha256(body).hexdigest())
    text = "\n".join((ALGORITHM, timestamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    signature = _mac(_signing_key(credentials.secret_key, *scope.split("/")), text).hex()
    credential = f"Credential={credentials.access_key}/{scope}"
    return {**headers, "authorization": f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"}


def _canonical(method: str, path: str, headers: dict[str, str], names: str, body_sha256: str) -> str:
    """Write the request in the canonical form that AWS signs. The line after the path is the query: we send none."""
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names.split(";")]
    return "\n".join((method, quote(path, safe=UNQUOTED), "", *lines, "", names, body_sha256))


def _signing_key(secret: str, *scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope:
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
