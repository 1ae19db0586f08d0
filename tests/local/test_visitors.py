"""No web page does anything on the local AWS: each way in which a browser could is tried on the running server."""

import base64
import json
import socket

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.profile import REGION
from tests.local.conftest import new_name, zipped
from tests.local.raw_http import send

CREATE = "/2015-03-31/functions"


def signed_lines(
    aws, method: str, path: str, body: bytes, *, host: str | None = None, service: str = "lambda"
) -> list[str]:
    """The request's lines as the developer would sign them: what a page could do if it had the secret."""
    host = host or f"127.0.0.1:{aws.server['port']}"
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers={"Host": host})
    SigV4Auth(Credentials(*aws.root), service, REGION).add_auth(request)
    return [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]


def create_function(aws) -> tuple[str, bytes]:
    """(its name, the body of the request that makes it)."""
    name, code = new_name("intruder"), zipped({"app.py": "def handler(event, context): return 'ran'"})
    wanted = {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Role": aws.role("lambda"),
        "Code": {"ZipFile": base64.b64encode(code).decode()},
    }
    return name, json.dumps(wanted).encode()


def functions(aws) -> set[str]:
    pages = aws.client("lambda").get_paginator("list_functions").paginate()
    return {function["FunctionName"] for page in pages for function in page["Functions"]}


def test_the_developer_creates_a_function_by_the_very_request_that_is_refused_below(aws):
    name, body = create_function(aws)
    answer = send(aws.server["port"], *signed_lines(aws, "POST", CREATE, body), body=body)
    assert (answer.status, name in functions(aws)) == (201, True)


FORM = "Content-Type: application/x-www-form-urlencoded"
PLAIN = "Content-Type: text/plain;charset=UTF-8"
BROWSER = {
    "a form": [FORM, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"],
    "a form of a page without an origin": [FORM, "Origin: null"],
    "a fetch with text/plain": [PLAIN, "Origin: https://evil.example", "Sec-Fetch-Mode: cors"],
    "a fetch with no-cors": [PLAIN, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"],
    "an old browser's fetch": [PLAIN, "Origin: http://evil.example"],
    "a page on another port of this machine": [PLAIN, "Origin: http://127.0.0.1:3000", "Sec-Fetch-Site: same-site"],
    "a page that the local AWS itself served": [PLAIN, "Sec-Fetch-Site: same-origin"],
    "an image": ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"],
}


@pytest.mark.parametrize("lines", BROWSER.values(), ids=BROWSER)
def test_a_web_page_is_refused_even_with_the_right_signature(aws, lines):
    name, body = create_function(aws)
    answer = send(aws.server["port"], *signed_lines(aws, "POST", CREATE, body), *lines, body=body)
    assert answer.status == 403 and json.loads(answer.body)["error"] == "refused"
    assert name not in functions(aws)


def test_a_preflight_is_refused_and_opens_nothing(aws):
    answer = send(
        aws.server["port"],
        f"OPTIONS {CREATE} HTTP/1.1",
        f"Host: 127.0.0.1:{aws.server['port']}",
        "Origin: https://evil.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: x-amz-target, authorization",
    )
    assert answer.status == 403
    assert [name for name in answer.headers if name.startswith("access-control")] == []


def test_no_answer_of_any_service_opens_itself_to_web_pages(aws, bucket, table):
    opened = []
    for call in (
        lambda: aws.client("s3").list_objects_v2(Bucket=bucket),
        lambda: aws.client("dynamodb").describe_table(TableName=table),
        lambda: aws.client("lambda").list_functions(),
        lambda: aws.client("iam").list_roles(),
        lambda: aws.client("stepfunctions").list_state_machines(),
    ):
        opened += [name for name in call()["ResponseMetadata"]["HTTPHeaders"] if name.startswith("access-control")]
    assert opened == []


HOSTS = {
    "a rebound name": "evil.example:{port}",
    "a rebound name without a port": "evil.example",
    "another port": "127.0.0.1:1",
    "no port": "127.0.0.1",
    "another address of this machine": "0.0.0.0:{port}",
    "a name below localhost": "evil.localhost:{port}",
    "a name that begins alike": "127.0.0.1.evil.example:{port}",
    "loopback as a password": "127.0.0.1:{port}@evil.example",
    "a name that ends alike": "evil-localhost:{port}",
    "nothing": "",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_foreign_host_is_refused_even_with_the_right_signature(aws, host):
    host, port = host.format(port=aws.server["port"]), aws.server["port"]
    name, body = create_function(aws)
    lines = [
        line if not line.lower().startswith("host:") else f"Host: {host}"
        for line in signed_lines(aws, "POST", CREATE, body, host=host or "none")
    ]
    answer = send(port, *lines, body=body)
    assert answer.status == 403 and "Host = " in json.loads(answer.body)["message"]
    assert name not in functions(aws)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_every_name_of_loopback_is_served(aws, name):
    lines = signed_lines(aws, "GET", CREATE, b"", host=f"{name}:{aws.server['port']}")
    assert send(aws.server["port"], *lines).status == 200


def test_two_hosts_and_none_are_refused(aws):
    port = aws.server["port"]
    lines = signed_lines(aws, "GET", CREATE, b"")
    assert send(port, *lines, "Host: evil.example").status == 400
    assert send(port, *(line for line in lines if not line.startswith("Host:"))).status == 400


@pytest.mark.parametrize(
    "target", ["http://evil.example/2015-03-31/functions", "http://127.0.0.1/", "*", "evil.example:443"]
)
def test_a_target_that_is_not_a_path_is_refused(aws, target):
    lines = [f"GET {target} HTTP/1.1", *signed_lines(aws, "GET", CREATE, b"")[1:]]
    assert send(aws.server["port"], *lines).status == 403


UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


@pytest.mark.parametrize(
    "lines", [["Origin: https://evil.example"], ["Origin: null"], []], ids=["origin", "null", "unsigned"]
)
def test_a_websocket_of_a_page_or_without_a_signature_is_refused(aws, lines):
    port = aws.server["port"]
    answer = send(port, "GET /mqtt HTTP/1.1", f"Host: 127.0.0.1:{port}", *UPGRADE, *lines)
    assert answer.status == 403


def test_a_websocket_with_a_signature_and_without_an_origin_is_opened(aws):
    apis = aws.client("apigatewayv2")
    api = apis.create_api(Name="own", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")[
        "ApiId"
    ]
    apis.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    lines = signed_lines(aws, "GET", f"/_aws/execute-api/{api}/live", b"", service="execute-api")
    assert send(aws.server["port"], *lines, *UPGRADE).status == 101
    assert send(aws.server["port"], *lines, *UPGRADE, "Origin: https://evil.example").status == 403
    assert send(aws.server["port"], *(line for line in lines if "Signature=" not in line), *UPGRADE).status == 403


def test_http_2_is_held_to_the_same_names(aws):
    """A client that asks for it gets it; no browser does without TLS."""
    h2 = pytest.importorskip("h2.connection")
    client = h2.H2Connection()
    client.initiate_connection()
    headers = [(":method", "GET"), (":path", CREATE), (":scheme", "http"), (":authority", "evil.example")]
    client.send_headers(1, headers, end_stream=True)
    with socket.create_connection(("127.0.0.1", aws.server["port"]), timeout=10) as connection:
        connection.sendall(client.data_to_send())
        statuses = []
        while not statuses:
            events = client.receive_data(connection.recv(65536))
            statuses = [
                dict(event.headers)[b":status"] for event in events if type(event).__name__ == "ResponseReceived"
            ]
    assert statuses == [b"403"]


@pytest.mark.parametrize(
    "path", ["/_ministack/health", "/health", "/_ministack/sqs/messages", "/_ministack/lambda-code/x"]
)
def test_the_pages_of_the_machinery_are_not_for_everybody(aws, path):
    assert send(aws.server["port"], f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{aws.server['port']}").status == 403
