"""Every request to every service is signed by a key that the local AWS gave out, IAM enforced or not; else refused."""

import hashlib
import json
import re
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.local.conftest import ACCOUNT, REGION, allow, new_name
from tests.local.raw_http import Answer, send

CALLS = {
    "dynamodb": ("POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
    "states": ("POST", "/", b"{}", {"X-Amz-Target": "AWSStepFunctions.ListStateMachines"}),
    "lambda": ("GET", "/2015-03-31/functions", b"", {}),
    "sts": ("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", {}),
    "iam": ("POST", "/", b"Action=ListRoles&Version=2010-05-08", {}),
    "s3": ("GET", "/", b"", {}),
    "ssm": ("POST", "/", b'{"Name": "/x"}', {"X-Amz-Target": "AmazonSSM.GetParameter"}),
    "sagemaker": ("POST", "/", b"{}", {"X-Amz-Target": "SageMaker.ListEndpoints"}),
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/x-amz-json-1.0"}


def request(aws, service: str, *, body: bytes | None = None, **headers: str) -> AWSRequest:
    method, path, usual, more = CALLS[service]
    host = f"127.0.0.1:{aws.server['port']}"
    kind = FORM if usual.startswith(b"Action") else JSON if usual else {}
    return AWSRequest(
        method,
        f"http://{host}{path}",
        data=usual if body is None else body,
        headers={"Host": host, **kind, **more, **headers},
    )


def sign(unsigned: AWSRequest, key: tuple, service: str) -> AWSRequest:
    """Signed as the SDK does it, with (key id, secret) or (key id, secret, token)."""
    (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(*key), service, REGION).add_auth(unsigned)
    return unsigned


def answer(aws, sent: AWSRequest, body: bytes | None = None) -> Answer:
    path = sent.url.partition(str(aws.server["port"]))[2]
    lines = [f"{name}: {value}" for name, value in sent.headers.items()]
    return send(aws.server["port"], f"{sent.method} {path} HTTP/1.1", *lines, body=sent.data if body is None else body)


def refusal(found: Answer) -> tuple[int, str]:
    """(status, AWS's code) in whichever protocol it is told."""
    named = re.search(r"<Code>(\w+)</Code>", found.body) or re.search(r'"__type": "(\w+)"', found.body)
    assert named, found
    return found.status, named[1]


JSON_SERVICES, QUERY_SERVICES = ("dynamodb", "states", "ssm", "sagemaker"), ("sts", "iam")


def expected(json_code: str, rest_code: str, query: tuple[int, str], s3: tuple[int, str]) -> dict[str, tuple[int, str]]:
    return {
        **dict.fromkeys(JSON_SERVICES, (400, json_code)),
        "lambda": (403, rest_code),
        **dict.fromkeys(QUERY_SERVICES, query),
        "s3": s3,
    }


UNSIGNED = expected(
    "MissingAuthenticationTokenException",
    "MissingAuthenticationTokenException",
    (403, "MissingAuthenticationToken"),
    (403, "AccessDenied"),
)
UNKNOWN = expected(
    "UnrecognizedClientException",
    "UnrecognizedClientException",
    (403, "InvalidClientTokenId"),
    (403, "InvalidAccessKeyId"),
)
MISMATCH = expected(
    "InvalidSignatureException",
    "InvalidSignatureException",
    (403, "SignatureDoesNotMatch"),
    (403, "SignatureDoesNotMatch"),
)


@pytest.mark.parametrize("service", CALLS)
def test_a_request_of_the_root_key_is_answered(cloud, service):
    found = answer(cloud, sign(request(cloud, service), cloud.root, service))
    assert found.status in (200, 400) and "Signature" not in found.body and "Token" not in found.body


@pytest.mark.parametrize("service", CALLS)
def test_a_request_without_a_signature_is_refused_in_the_words_of_its_service(cloud, service):
    assert refusal(answer(cloud, request(cloud, service))) == UNSIGNED[service]


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("key", ["111111111111", "test", "AKIAIOSFODNN7EXAMPLE"])
def test_a_key_that_was_never_given_out_is_unknown_whatever_its_form(cloud, service, key):
    for secret in (cloud.root.secret_key, "test"):
        assert refusal(answer(cloud, sign(request(cloud, service), (key, secret), service))) == UNKNOWN[service]


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("secret", ["local", "test", "root"])
def test_another_secret_than_roots_own_is_refused(cloud, service, secret):
    """As another user of this machine would try, who cannot read the file that holds the secret."""
    assert refusal(answer(cloud, sign(request(cloud, service), (ACCOUNT, secret), service))) == MISMATCH[service]


@pytest.mark.parametrize("service", [service for service, call in CALLS.items() if call[2]])
def test_another_body_than_the_signed_one_is_refused(cloud, service):
    sent = sign(request(cloud, service), cloud.root, service)
    assert refusal(answer(cloud, sent, body=sent.data[:-1] + b" ")) == MISMATCH[service]


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("dynamodb", {"X-Amz-Target": "DynamoDB_20120810.DeleteTable"}),
        ("lambda", {"X-Amz-Date": "20260101T000000Z"}),
        ("sts", {"X-Amz-Security-Token": "added"}),
    ],
)
def test_a_header_that_was_changed_after_it_was_signed_is_refused(cloud, service, change):
    sent = sign(request(cloud, service), cloud.root, service)
    for name, value in change.items():
        sent.headers.replace_header(name, value) if name in sent.headers else sent.headers.add_header(name, value)
    assert answer(cloud, sent).status in (400, 403)


class Clock:
    """botocore's clock, so many minutes off."""

    def __init__(self, monkeypatch, minutes: float):
        moved = timedelta(minutes=minutes)
        monkeypatch.setattr(
            "botocore.auth.get_current_datetime",
            lambda remove_tzinfo=True: datetime.now(UTC).replace(tzinfo=None) + moved,
        )


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(-20, r"Signature expired: \d{8}T\d{6}Z is now earlier than"), (20, "Signature not yet current:")],
)
def test_a_clock_that_is_wrong_is_told_so(cloud, monkeypatch, minutes, said):
    Clock(monkeypatch, minutes)
    for service, told in {**MISMATCH, "s3": (403, "RequestTimeTooSkewed")}.items():
        found = answer(cloud, sign(request(cloud, service), cloud.root, service))
        assert refusal(found) == told
        assert service == "s3" or re.search(said, found.body)


def test_a_clock_that_is_a_little_off_is_right(cloud, monkeypatch):
    Clock(monkeypatch, -4)
    assert answer(cloud, sign(request(cloud, "sts"), cloud.root, "sts")).status == 200


SCOPE = f"{ACCOUNT}/20260101/{REGION}/dynamodb/aws4_request"
MALFORMED = {
    "no such algorithm": f"AWS4-HMAC-MD5 Credential={SCOPE}, SignedHeaders=host, Signature=0",
    "version 2": "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
    "a password": "Basic QVdTOnBhc3N3b3Jk",
    "a bearer": "Bearer token",
    "nothing": "",
    "no parts": "AWS4-HMAC-SHA256",
    "half a scope": "AWS4-HMAC-SHA256 Credential=000000000000/20260101, SignedHeaders=host, Signature=0",
    "host not signed": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=x-amz-date, Signature=0",
}


@pytest.mark.parametrize("authorization", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("service", ["dynamodb", "sts", "s3"])
def test_what_is_no_signature_is_refused(cloud, service, authorization):
    sent = request(cloud, service, Authorization=authorization, **{"X-Amz-Date": "20260101T000000Z"})
    assert answer(cloud, sent).status in (400, 403)


def test_a_role_cannot_pass_for_root_by_naming_two_keys(aws):
    """The check and the services must read the same key."""
    session = assumed(aws, allow("dynamodb:ListTables"))
    for order in (slice(None), slice(None, None, -1)):
        sent = sign(request(aws, "iam"), session, "iam")
        given = sent.headers["Authorization"]
        own = re.search(r"Credential=[^,]+", given)[0]
        roots = own.replace(session[0], ACCOUNT)
        sent.headers.replace_header("Authorization", given.replace(own, ", ".join([own, roots][order])))
        assert refusal(answer(aws, sent)) == (400, "IncompleteSignature")
    sent = sign(request(aws, "iam"), session, "iam")
    sent.url += f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCOUNT}/20260101/us-east-1/iam/aws4_request"
    assert refusal(answer(aws, sent)) == (400, "IncompleteSignature")


def assumed(aws, *statements: dict) -> tuple[str, str, str]:
    """(key id, secret, token) of a session of a new role."""
    sts, iam, name = aws.client("sts"), aws.client("iam"), new_name("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    given = sts.assume_role(RoleArn=role, RoleSessionName="own")["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def test_a_role_session_works_with_its_secret_and_its_token_only(cloud):
    key, secret, token = assumed(cloud, allow("dynamodb:*"))
    assert cloud.client("dynamodb", (key, secret), token).list_tables()["ResponseMetadata"]["HTTPStatusCode"] == 200
    for wrong, code in {
        (key, "wrong", token): "InvalidSignatureException",
        (key, secret, "other"): "UnrecognizedClientException",
        (key, secret, None): "UnrecognizedClientException",
    }.items():
        with pytest.raises(ClientError) as refused:
            cloud.client("dynamodb", wrong[:2], wrong[2]).list_tables()
        assert refused.value.response["Error"]["Code"] == code


def test_a_user_works_with_its_secret_until_the_key_is_deleted(cloud):
    key = cloud.user(allow("dynamodb:ListTables"))
    cloud.client("dynamodb", key).list_tables()
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        cloud.client("dynamodb", (key[0], "wrong")).list_tables()
    iam = cloud.client("iam")
    user = iam.get_access_key_last_used(AccessKeyId=key[0])["UserName"]
    iam.delete_access_key(UserName=user, AccessKeyId=key[0])
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        cloud.client("dynamodb", key).list_tables()


CALLER = """
import boto3, os
def handler(event, context):
    return boto3.client("sts").get_caller_identity()["Arn"], os.environ["AWS_ACCESS_KEY_ID"]
"""


def test_a_function_acts_as_its_role_by_credentials_that_nobody_can_work_out(cloud):
    function = cloud.function(CALLER)
    (arn, key), failed = cloud.invoke(function)
    assert failed is None and arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/role-") and key.startswith("ASIA")
    role = cloud.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    names = hashlib.sha256(f"{function}:{role}".encode()).hexdigest()
    guessed = (key, hashlib.sha256(f"secret:{names}".encode()).hexdigest())
    with pytest.raises(ClientError, match="The security token included in the request is invalid."):
        cloud.client("sts", guessed, hashlib.sha256(f"token:{names}".encode()).hexdigest()).get_caller_identity()


# ---- S3: bodies that are hashed, not signed, and sent in chunks; links


@pytest.fixture
def lake(cloud):
    name = new_name("lake")
    cloud.client("s3").create_bucket(Bucket=name)
    return name


def put(cloud, bucket: str, body: bytes, **headers: str) -> AWSRequest:
    host = f"127.0.0.1:{cloud.server['port']}"
    return AWSRequest("PUT", f"http://{host}/{bucket}/a%20b/%C3%A4%2B", data=body, headers={"Host": host, **headers})


def stored(cloud, bucket: str) -> bytes:
    return cloud.client("s3").get_object(Bucket=bucket, Key="a b/ä+")["Body"].read()


def test_an_object_is_stored_and_read_back_by_the_sdk(cloud, lake):
    s3 = cloud.client("s3")
    for key in ("plain", "a b/ä+~'()!*", "//double//slash/", "../up"):
        s3.put_object(Bucket=lake, Key=key, Body=key.encode(), Metadata={"own": "1  2"})
        assert s3.get_object(Bucket=lake, Key=key)["Body"].read() == key.encode()
    assert len(s3.list_objects_v2(Bucket=lake, Prefix="a b/", Delimiter="/")["Contents"]) == 1


def test_another_object_than_the_hashed_one_is_refused(cloud, lake):
    sent = sign(put(cloud, lake, b"rows"), cloud.root, "s3")
    assert refusal(answer(cloud, sent, body=b"rowz")) == (400, "XAmzContentSHA256Mismatch")


def test_an_object_whose_body_is_not_signed_is_taken_as_s3_does(cloud, lake):
    sent = put(cloud, lake, b"rows", **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert answer(cloud, sign_as_stated(cloud, sent)).status == 200
    assert stored(cloud, lake) == b"rows"


def sign_as_stated(cloud, sent: AWSRequest) -> AWSRequest:
    """Signed with the X-Amz-Content-SHA256 that it has."""
    stated = sent.headers["X-Amz-Content-SHA256"]

    class Stated(S3SigV4Auth):
        def payload(self, request):
            return stated

    Stated(Credentials(*cloud.root), "s3", REGION).add_auth(sent)
    return sent


def in_chunks(cloud, sent: AWSRequest, *chunks: bytes) -> bytes:
    """The body of aws-chunked: each chunk signed on from the one before, from the request's own signature on."""
    auth = SigV4Auth(Credentials(*cloud.root), "s3", REGION)
    moment, body = sent.headers["X-Amz-Date"], b""
    previous = re.search(r"Signature=(\w+)", sent.headers["Authorization"])[1]
    for chunk in (*chunks, b""):
        hashes = (hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest())
        scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", moment, scope, previous, *hashes))
        sent.context["timestamp"] = moment
        previous = auth.signature(text, sent)
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
    return body


def test_an_object_sent_in_signed_chunks_is_stored_and_a_changed_chunk_is_refused(cloud, lake):
    stated = {"X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "X-Amz-Decoded-Content-Length": "7"}
    sent = sign_as_stated(cloud, put(cloud, lake, b"", **stated, **{"Content-Encoding": "aws-chunked"}))
    body = in_chunks(cloud, sent, b"rows", b"and")
    assert refusal(answer(cloud, sent, body=body.replace(b"rows", b"rowz"))) == (403, "SignatureDoesNotMatch")
    assert refusal(answer(cloud, sent, body=body.replace(b"and", b"add"))) == (403, "SignatureDoesNotMatch")
    assert answer(cloud, sent, body=body).status == 200
    assert stored(cloud, lake) == b"rowsand"


def link(cloud, bucket: str, key: tuple, expires_s: int = 60) -> str:
    sent = AWSRequest("GET", f"{cloud.endpoint}/{bucket}/a%20b/%C3%A4%2B", headers={"Host": cloud.endpoint[7:]})
    S3SigV4QueryAuth(Credentials(*key), "s3", REGION, expires=expires_s).add_auth(sent)
    return sent.url


def opened(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, re.search(r"<Code>(\w+)</Code>", error.read().decode())[1]


def test_a_presigned_link_opens_its_object_until_it_expires(cloud, lake, monkeypatch):
    cloud.client("s3").put_object(Bucket=lake, Key="a b/ä+", Body=b"rows")
    session = assumed(cloud, allow("s3:*"))
    assert opened(link(cloud, lake, cloud.root)) == opened(link(cloud, lake, session)) == (200, "rows")
    assert opened(link(cloud, lake, (ACCOUNT, "wrong"))) == (403, "SignatureDoesNotMatch")
    assert opened(link(cloud, lake, ("111111111111", "test"))) == (403, "InvalidAccessKeyId")
    assert opened(link(cloud, lake, session).replace("%C3%A4", "other")) == (403, "SignatureDoesNotMatch")
    assert opened(link(cloud, lake, cloud.root, 604_801)) == (400, "AuthorizationQueryParametersError")
    Clock(monkeypatch, -2)
    assert opened(link(cloud, lake, cloud.root)) == (403, "AccessDenied")
    assert opened(link(cloud, lake, cloud.root, 600)) == (200, "rows")
