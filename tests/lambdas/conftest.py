"""A stage in moto: its tables, its lake, its hosting, and a model of our own behind a real HTTP server."""

import json

import boto3
import pytest
from moto import mock_aws

from domain.records import from_item, routing_write, to_item
from domain.release.routing import EMPTY
from tests.lambdas import stage
from tests.lambdas.moto_server import FOR_MOTO

stage.deploy()

KEYS = {
    stage.PREDICTIONS: ("id",),
    stage.OUTCOMES: ("entity_id", "event_time"),
    stage.ROUTING: ("item",),
    stage.RUNS: ("kind", "run"),
    stage.EVIDENCE: ("rollout", "item"),
}
BY_ENTITY = {
    "IndexName": "by_entity",
    "KeySchema": [{"AttributeName": "entity_id", "KeyType": "HASH"}, {"AttributeName": "made_at", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}


SHA256 = "ab" * 32


class Aws:
    """What a test looks at, in plain values."""

    dynamodb, s3, sagemaker, kms, sqs = (
        boto3.client(name, config=FOR_MOTO) for name in ("dynamodb", "s3", "sagemaker", "kms", "sqs")
    )

    def items(self, table: str) -> list[dict]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [from_item(item) for page in pages for item in page["Items"]]

    def put(self, table: str, **values) -> None:
        self.dynamodb.put_item(TableName=table, Item=to_item(values))

    def item(self, table: str, **key) -> dict | None:
        found = self.dynamodb.get_item(TableName=table, Key=to_item(key)).get("Item")
        return from_item(found) if found else None

    def upload(self, key: str, body) -> None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.s3.put_object(Bucket=stage.LAKE, Key=key, Body=body)

    def document(self, key: str):
        return json.loads(self.s3.get_object(Bucket=stage.LAKE, Key=key)["Body"].read())

    def released(self, release: str = "r-1", *, sha256: str = SHA256, **values) -> dict:
        """The item of a release that this stage signed, and then perhaps somebody changed."""
        from lambdas.aws.signatures import sign

        item = {"release": release, "model_uri": "s3://lake/model.tar.gz", "artefact_sha256": sha256}
        item |= {"signature": sign(release, sha256), **values}
        self.put(stage.ROUTING, item=f"release#{release}", **item)
        return item

    def route(self, **route) -> dict:
        """Let a release answer everybody."""
        champion = {"release": "r-1", "endpoint": f"{stage.PREFIX}r-1", "since": "2013-04-01T00:00:00Z"}
        return self.routing(champion={**champion, **route})

    def routing(self, **values) -> dict:
        """Write the routing, to nobody unless `values` name somebody."""
        routing = {**EMPTY, "version": 1, "changed_at": "2013-04-01T00:00:00Z", "reason": "a test", **values}
        self.dynamodb.put_item(TableName=stage.ROUTING, Item=routing_write(routing)["Item"])
        return routing


@pytest.fixture(autouse=True, scope="session")
def patient():
    """On a busy machine moto answers later than AWS; a client that may try again waits here until it does."""
    from lambdas.aws import clients

    lean = clients.lean

    def patiently(*kind, tries: int, **limits):
        return lean(*kind, tries=tries, **(limits if tries == 1 else {**limits, "connect_s": 60, "read_s": 60}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "lean", patiently)
        yield


@pytest.fixture
def aws():
    with mock_aws():
        made = Aws()
        made.s3.create_bucket(Bucket=stage.LAKE)
        key = made.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        made.kms.create_alias(AliasName=stage.KEY, TargetKeyId=key)
        for table, keys in KEYS.items():
            create_table(made.dynamodb, table, keys)
        yield made


def create_table(dynamodb, table: str, keys: tuple) -> None:
    index = {"GlobalSecondaryIndexes": [BY_ENTITY]} if table == stage.PREDICTIONS else {}
    names = (*keys, "entity_id", "made_at") if index else keys
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        **index,
    )


@pytest.fixture
def model():
    """The served model; a test that does not say what it answers must not ask it."""
    stage.MODEL.calls.clear()
    stage.MODEL.checked_under.clear()
    stage.MODEL.answers = lambda endpoint, instances: (
        500,
        {"Message": "nobody told me what to answer"},
        "InternalFailure",
    )
    return stage.MODEL
