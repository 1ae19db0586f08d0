"""AWS clients, each built at its first use, with the retries and time limits that its callers can afford.

Calls that a customer waits for do without botocore (lambdas/aws/services.py): importing it and building two clients is
most of a cold start. All others use botocore, imported at its first use, without boto3's resources.
"""

import functools
import os
from typing import Any, TypeVar

from domain.carried import MOST_CARRIED_MB
from lambdas.aws.connections import MOST_KEPT, Connections
from lambdas.aws.services import S3, DynamoDB, Kms, Rest, Service
from lambdas.aws.sigv4 import Credentials

BotocoreClient = Any  # botocore creates the methods of a client at run time
Lean = TypeVar("Lean", bound=Service)


@functools.cache
def dynamodb() -> DynamoDB:
    return lean(DynamoDB, "dynamodb", "dynamodb", tries=4, connect_s=1, read_s=3)


@functools.cache
def patient_dynamodb() -> DynamoDB:
    """Return a client for what no customer waits for: a call that is given up early is work that is done twice."""
    return lean(DynamoDB, "dynamodb", "dynamodb", tries=4, connect_s=5, read_s=60)


@functools.cache
def sagemaker_runtime(limit_s: float) -> Rest:
    """Return a client for a caller with a deadline: one attempt, which waits at most until the deadline."""
    return lean(Rest, "sagemaker", "runtime.sagemaker", tries=1, connect_s=limit_s, read_s=limit_s)


@functools.cache
def functions() -> Rest:
    return lean(Rest, "lambda", "lambda", tries=2, connect_s=1, read_s=3)


@functools.cache
def kms() -> Kms:
    return lean(Kms, "kms", "kms", tries=4, connect_s=2, read_s=5)


@functools.cache
def artefacts() -> S3:
    """Return a client for predict, which waits for an artefact no longer than for anything else; other readers use
    `s3`.
    """
    return lean(S3, "s3", "s3", tries=3, connect_s=1, read_s=5, most_bytes=MOST_CARRIED_MB << 20)


@functools.cache
def s3() -> BotocoreClient:
    return build("s3", tries=4, connect_s=2, read_s=20)


@functools.cache
def sqs() -> BotocoreClient:
    return build("sqs", tries=4, connect_s=2, read_s=10)


@functools.cache
def sns() -> BotocoreClient:
    return build("sns", tries=4, connect_s=2, read_s=10)


@functools.cache
def stepfunctions() -> BotocoreClient:
    return build("stepfunctions", tries=4, connect_s=2, read_s=10)


@functools.cache
def sagemaker() -> BotocoreClient:
    return build("sagemaker", tries=5, connect_s=2, read_s=20)


def lean(kind: type[Lean], signed_as: str, host: str, *, tries: int, **limits: Any) -> Lean:
    """Make a client without botocore; `signed_as` is the service's name in signatures, `limits` are those of
    Connections.
    """
    region = os.environ["AWS_REGION"]
    connections = Connections(url_of(host, region), **limits)
    return kind(signed_as, connections, credentials(), region=region, tries=tries)


def url_of(host: str, region: str) -> str:
    """Return the URL of a service; AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> override it, as in botocore."""
    service = {"runtime.sagemaker": "SAGEMAKER_RUNTIME"}.get(host, host.upper())
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    override = os.environ.get(f"AWS_ENDPOINT_URL_{service}") or os.environ.get("AWS_ENDPOINT_URL")
    return override or f"https://{host}.{region}.{suffix}"


def credentials() -> Credentials:
    return Credentials(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN")
    )


@functools.cache
def session() -> Any:
    import botocore.session  # lazy: predict never uses it, and it is most of a cold start

    return botocore.session.get_session()


def build(service: str, *, tries: int, connect_s: float, read_s: float, **more: Any) -> BotocoreClient:
    """Make a botocore client; `more` goes into its Config."""
    from botocore.config import Config  # lazy: predict never uses it, and it is most of a cold start

    return session().create_client(
        service,
        config=Config(
            connect_timeout=connect_s,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=MOST_KEPT,
            tcp_keepalive=True,
            **more,
        ),
    )
