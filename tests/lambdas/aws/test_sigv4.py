"""Our signatures are botocore's, whatever is signed."""

from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from lambdas.aws.sigv4 import Credentials, signed

AT = datetime(2013, 4, 1, 9, 30, 5, tzinfo=UTC)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
WORDS = st.lists(TEXT, min_size=1, max_size=3)


def signed_by_botocore(headers, body, *, path, credentials, service, region, monkeypatch) -> str:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: AT.replace(tzinfo=None))
    more = {name: value for name, value in headers.items() if name != "host"}
    request = AWSRequest("POST", f"https://{headers['host']}{path}", headers=more, data=body)
    botocore.auth.SigV4Auth(BotocoreCredentials(*credentials), service, region).add_auth(request)
    return request.headers["Authorization"]


@given(
    body=st.binary(max_size=200),
    path=st.lists(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._~%-]{0,20}", fullmatch=True), max_size=4).map(
        lambda parts: "/" + "/".join(parts)
    ),
    credentials=st.builds(Credentials, TEXT, TEXT, st.none() | TEXT),
    header=st.tuples(WORDS, st.sampled_from(["", " ", "   "])),
    region=st.sampled_from(["us-east-1", "cn-north-1", "eu-central-1"]),
)
def test_a_signature_is_the_one_that_botocore_gives(body, path, credentials, header, region):
    words, more = header
    headers = {
        "host": "dynamodb.us-east-1.amazonaws.com",
        "content-type": "application/json",
        "x-amz-target": f"{more} ".join(words),
    }
    call = {"path": path, "credentials": credentials, "service": "sagemaker", "region": region}
    with pytest.MonkeyPatch.context() as patch:
        expected = signed_by_botocore(headers, body, **call, monkeypatch=patch)
    assert signed(headers, body, **call, at=AT)["authorization"] == expected


def test_a_role_s_session_token_is_sent_and_signed():
    given = signed(
        {"host": "h"},
        b"",
        path="/",
        credentials=Credentials("a", "s", "token"),
        service="dynamodb",
        region="us-east-1",
        at=AT,
    )
    assert (given["x-amz-security-token"], given["x-amz-date"]) == ("token", "20130401T093005Z")
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in given["authorization"]
