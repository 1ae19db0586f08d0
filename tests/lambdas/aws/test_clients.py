import pytest

from lambdas.aws import clients
from lambdas.aws.sigv4 import Credentials


@pytest.mark.parametrize(
    ("host", "region", "set_", "url"),
    [
        ("dynamodb", "us-east-1", {}, "https://dynamodb.us-east-1.amazonaws.com"),
        ("runtime.sagemaker", "cn-north-1", {}, "https://runtime.sagemaker.cn-north-1.amazonaws.com.cn"),
        ("lambda", "eu-west-1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        (
            "runtime.sagemaker",
            "eu-west-1",
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://b"},
            "http://b",
        ),
    ],
)
def test_a_service_is_where_aws_has_it_unless_the_environment_says_otherwise(monkeypatch, host, region, set_, url):
    for service in ("", "_DYNAMODB", "_SAGEMAKER_RUNTIME"):
        monkeypatch.delenv(f"AWS_ENDPOINT_URL{service}", raising=False)
    for name, value in set_.items():
        monkeypatch.setenv(name, value)
    assert clients.url_of(host, region) == url


def test_the_role_s_credentials_come_from_the_runtime_with_a_token_where_there_is_one(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    assert clients.credentials() == Credentials("a", "s", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    assert clients.credentials() == Credentials("a", "s", "t")


def test_a_client_is_made_once_and_the_authorities_are_read_once(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://localhost:1")
    first, second = (
        clients.lean(clients.DynamoDB, "dynamodb", "dynamodb", tries=1, connect_s=1, read_s=1) for _ in range(2)
    )
    assert first.connections.tls is second.connections.tls is not None
    monkeypatch.undo()  # this one is kept for the tests to come
    assert clients.dynamodb() is clients.dynamodb()
