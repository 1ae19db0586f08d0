"""Check the signature of every request to every service, with and without IAM enforced.

MiniStack accepts any secret for root, any 12 digits as root's key, and checks nothing unless IAM is enforced. Its own
arithmetic of Signature Version 4 and its words for a refusal in each protocol are used here, before a request reaches
any service, and on exactly the values that the services read.
"""

import hashlib
import hmac
import os
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime, sigv4
from ministack.core.iam_evaluator import AuthError, CredentialResolutionError
from ministack.core.router import extract_access_key_id
from ministack.services import lambda_svc, s3, sts

from local.asgi import Scope
from local.profile import ACCOUNT

HOOKS = (
    "ministack.app:detect_service",
    "ministack.app:_routing_params",
    "ministack.app:_credential_failure",
    "ministack.app:set_request_account_id",
    "ministack.core.iam_evaluator:AuthError",
    "ministack.core.iam_evaluator:resolve_credential",
    "ministack.core.iam_evaluator:find_iam_access_key_account",
    "ministack.core.iam_evaluator:AmbiguousAccessKeyError",
    "ministack.core.iam_evaluator:is_root_access_key",
    "ministack.core.sigv4:parse_header_signature",
    "ministack.core.sigv4:parse_query_signature",
    "ministack.core.sigv4:header_signature_failure",
    "ministack.core.sigv4:request_time_failure",
    "ministack.core.sigv4:decode_header_value",
    "ministack.core.lambda_runtime:execution_credentials",
    "ministack.core.lambda_runtime:_account_region_from_function_config",
    "ministack.services.lambda_svc:execution_credentials",
    "ministack.services.sts:is_root_access_key",
    "ministack.services.sts:register_session",
    "ministack.services.s3:_error",
)

ALGORITHM = "AWS4-HMAC-SHA256"
BASIC_FORMAT = re.compile(r"\d{8}T\d{6}Z")
LONGEST_PRESIGNED_S = 7 * 24 * 3600
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
ONLY_OF_S3 = ("XAmzContentSHA256Mismatch", "AuthorizationQueryParametersError")
UNKNOWN_KEY = ("UnrecognizedClientException", "The security token included in the request is invalid.")


def register() -> None:
    """Allow one account and one root key, where MiniStack accepts any 12 digits as the key of another account."""
    iam_evaluator.is_root_access_key = sts.is_root_access_key = lambda key: not key or key == ACCOUNT
    select_account = app.set_request_account_id
    app.set_request_account_id = lambda key: select_account(key if key == ACCOUNT or not key.isdigit() else "")
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = _role_session


def _role_session(config: dict[str, Any]) -> dict[str, str]:
    """Return a session of the function's role; MiniStack derives its secret from names, so that anybody could."""
    account, _ = lambda_runtime._account_region_from_function_config(config)
    role, name = config.get("Role", "").rpartition("/")[2], config.get("FunctionName", "function")[:64]
    key, secret, token = (_derived(kind, config.get("FunctionArn", ""), config.get("Role", "")) for kind in "kst")
    key = f"ASIA{key[:16].upper()}"
    session = {"Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}", "UserId": f"{role}:{name}"}
    sts.register_session(key, {**session, "SecretAccessKey": secret, "SessionToken": token})
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _derived(*words: str) -> str:
    return hmac.digest(os.environ["AWS_SECRET_ACCESS_KEY"].encode(), "\n".join(words).encode(), "sha256").hex()


@dataclass(frozen=True)
class Sent:
    """A request as it arrived, without its body."""

    method: str
    path: str
    raw_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case; one sent on several lines is joined, as it is signed


@dataclass(frozen=True)
class Signed:
    """A request whose signature is still to be compared: its time is right and its key is known."""

    sent: Sent
    signature: sigv4.HeaderSignature
    secret: str
    presigned: bool


def sent(scope: Scope) -> Sent:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
    return Sent(scope.get("method", "GET"), scope["path"], scope["raw_path"].decode("latin-1"), query, headers)


def read(request: Sent) -> Signed | AuthError:
    """Return what can be known before the body arrives."""
    signature = _parsed(request)
    if isinstance(signature, AuthError):
        return signature
    presigned = "authorization" not in request.headers
    failure = _scope_failure(request, signature) or _time_failure(request, signature, presigned)
    if failure:
        return failure
    secret = _secret(request, signature.access_key_id, presigned)
    return secret if isinstance(secret, AuthError) else Signed(request, signature, secret, presigned)


def _parsed(request: Sent) -> sigv4.HeaderSignature | AuthError:
    """Return the only signature that the request has."""
    authorization = request.headers.get("authorization")
    algorithms = [
        value for name, values in request.query.items() if name.lower() == "x-amz-algorithm" for value in values
    ]
    if authorization is None and not algorithms:
        return AuthError("MissingAuthenticationToken", "Request is missing Authentication Token")
    if authorization is not None and algorithms:
        return AuthError("UnsupportedSignature", "Only one auth mechanism allowed; sign in the header or in the query.")
    if algorithms != [ALGORITHM] and (authorization or "").partition(" ")[0] != ALGORITHM:
        return AuthError("UnsupportedSignature", f"Unsupported AWS 'algorithm'; sign with {ALGORITHM}.")
    parse = sigv4.parse_query_signature if algorithms else sigv4.parse_header_signature
    parsed = parse(request.query if algorithms else request.headers)
    return AuthError(*parsed) if isinstance(parsed, tuple) else parsed


def _scope_failure(request: Sent, signature: sigv4.HeaderSignature) -> AuthError | None:
    """Compare the key in the scope with the one the services read from the request: they must be the same."""
    if extract_access_key_id(request.headers, request.query) != signature.access_key_id:
        return AuthError("IncompleteSignature", "Credential must be given once.")
    if "host" not in signature.signed_headers.split(";"):
        return AuthError("SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    if not BASIC_FORMAT.fullmatch(signature.amz_date):
        return AuthError("IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{signature.amz_date}'.")
    return None


def _time_failure(request: Sent, signature: sigv4.HeaderSignature, presigned: bool) -> AuthError | None:
    if not presigned or signature.service != "s3":
        failure = sigv4.request_time_failure(signature)
        return AuthError(*failure) if failure else None
    expires = request.query.get("X-Amz-Expires", [""])[0]
    if not re.fullmatch(r"\d{1,6}", expires) or not 0 < int(expires) <= LONGEST_PRESIGNED_S:
        return AuthError(
            "AuthorizationQueryParametersError", "X-Amz-Expires must be a number of seconds between 1 and 604800"
        )
    if sigv4.presigned_request_is_expired(signature.amz_date, expires):
        return AuthError("RequestExpired", "Request has expired")
    return None


def _secret(request: Sent, key: str, presigned: bool) -> str | AuthError:
    """Return the key's secret and its session token."""
    header, query = request.headers.get("x-amz-security-token", ""), request.query.get("X-Amz-Security-Token", [""])[0]
    token = query if presigned else header
    try:
        account = iam_evaluator.find_iam_access_key_account(key) or ACCOUNT
    except iam_evaluator.AmbiguousAccessKeyError:
        return AuthError(*UNKNOWN_KEY)
    found = iam_evaluator.resolve_credential(key, account, token) if key else None
    if found is None or isinstance(found, CredentialResolutionError):
        if found is None or (found.code == "InvalidToken" and not token):
            return AuthError(*UNKNOWN_KEY)
        return AuthError(found.code, UNKNOWN_KEY[1] if found.code == "InvalidToken" else found.message)
    return found.secret_access_key


def mismatch(signed: Signed, body: bytes) -> AuthError | None:
    """Return why the signature does not match this request and body with the key's secret; compared in constant
    time.
    """
    request = signed.sent
    failure = _body_failure(signed, body) or sigv4.header_signature_failure(
        signed.signature,
        signed.secret,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        presigned=signed.presigned,
    )
    return AuthError(*failure) if failure else None


def _body_failure(signed: Signed, body: bytes) -> tuple[str, str] | None:
    """Return why the signed hash is not that of the body; S3 also accepts unsigned bodies."""
    stated, of_s3 = signed.sent.headers.get("x-amz-content-sha256"), signed.signature.service.startswith("s3")
    if stated is None or (of_s3 and (stated == UNSIGNED or stated.startswith(STREAMING))):
        return None
    if hmac.compare_digest(stated.encode(), hashlib.sha256(body).hexdigest().encode()):
        return None
    if of_s3:
        told = "The provided 'x-amz-content-sha256' header does not match what was computed."
        return "XAmzContentSHA256Mismatch", told
    return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH


def refused(request: Sent, body: bytes, failure: AuthError) -> tuple[int, dict[str, str], bytes]:
    """Return (status, headers, body) of a refusal in the service's words and protocol."""
    known = app._routing_params(request.method, request.path, request.headers, body, request.query)
    service = app.detect_service(request.method, request.path, request.headers, known)
    request_id = str(uuid.uuid4())
    if failure.code in ONLY_OF_S3:
        status, headers, told = s3._error(failure.code, failure.message, 400, request.path)
    else:
        status, headers, told = app._credential_failure(service, "", request_id, failure, request.headers)
    ids = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    return status, {**headers, **ids}, b"" if request.method == "HEAD" else told
