"""AWS clients: each built once, when it is first asked for, with the retries and time limits its callers can afford.

botocore without boto3: none of its resources is used here, and a cold start pays for every import.
"""

import functools

import botocore.session
from botocore.config import Config

SESSION = botocore.session.get_session()
CONNECTIONS = 16  # at most this many threads share a client


@functools.cache
def dynamodb():
    # Items are made by domain/records.py and checked by DynamoDB: checking them here too is most of a write's CPU.
    return build("dynamodb", tries=4, connect_s=1, read_s=3, parameter_validation=False)


@functools.cache
def s3():
    return build("s3", tries=4, connect_s=2, read_s=20)


@functools.cache
def sagemaker():
    return build("sagemaker", tries=5, connect_s=2, read_s=20)


@functools.cache
def sagemaker_runtime(limit_s: float):
    """For a caller with a deadline: one try, and no wait longer than the deadline itself."""
    return build("sagemaker-runtime", tries=1, connect_s=limit_s, read_s=limit_s)


def build(service: str, *, tries: int, connect_s: float, read_s: float, **more):
    return SESSION.create_client(
        service,
        config=Config(
            connect_timeout=connect_s,
            read_timeout=read_s,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
            **more,
        ),
    )
