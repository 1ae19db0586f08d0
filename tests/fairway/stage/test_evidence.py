from pathlib import Path

import boto3
from moto import mock_aws

from domain.config.sections import read_config
from domain.records import to_item
from domain.release.counts import Counts
from fairway.stage.aws import Stage
from fairway.stage.evidence import counts_of

ROOT = Path(__file__).parents[3]


def test_the_counts_of_a_rollout_are_those_of_its_shares_and_of_no_other(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        dynamodb = session.client("dynamodb")
        dynamodb.create_table(
            TableName="evidence",
            KeySchema=[{"AttributeName": "rollout", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("rollout", "item")],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in (
            {"rollout": "r-2", "item": "share#0.25", "canary_rows": 7},
            {"rollout": "r-2", "item": "share#0.05", "canary_rows": 3, "loss_0": -0.5},
            {"rollout": "r-2", "item": "seen#entities#00"},
            {"rollout": "r-2", "item": "answer#p-1", "other": "true"},
            {"rollout": "r-3", "item": "share#0.05", "canary_rows": 9},
        ):
            dynamodb.put_item(TableName="evidence", Item=to_item(item))
        stage = Stage(ROOT, read_config(ROOT), session, None, {"evidence": "evidence"})
        assert counts_of(stage, "r-2") == [
            Counts(0.05, canary_rows=3, losses=(-0.5, 0.0, 0.0, 0.0, 0.0, 0.0)),
            Counts(0.25, canary_rows=7),
        ]
        assert counts_of(stage, "r-4") == []
