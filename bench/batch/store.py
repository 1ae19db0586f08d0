"""`write_results` against the local AWS: one file of results into a table, and who pays for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3

from bench.batch import measure
from bench.batch.flights import ROOT, contract
from bench.batch.jobs import settings
from domain.contract import schema as contract_rules
from local.profile import RootKey, root_key
from local.start import start, stop

BUCKET, TABLE = "bench-lake", "bench-predictions"
FUNCTION = """
import json, sys, time
from lambdas.batch.write_results import handler
started, spent = time.perf_counter(), time.process_time()
written = sum(handler(json.loads(event), None)["written"] for event in sys.argv[1:])
print(json.dumps({"rows": written, "seconds": time.perf_counter() - started, "cpu_s": time.process_time() - spent}))
"""


class LocalTable:
    """A started local AWS with a bucket and a table like that of the predictions."""

    def __init__(self, folder: Path):
        self.folder = folder
        shutil.rmtree(folder / "state", ignore_errors=True)
        self.server = start(folder, 0, Path("state"), False)
        self.key = root_key(folder / "state")
        self.environment = _environment_of(self.server["endpoint"], folder, self.key)
        self.make()

    def make(self) -> None:
        session = boto3.Session(*self.key, region_name="us-east-1")
        self.s3, dynamodb = (session.client(name, endpoint_url=self.server["endpoint"]) for name in ("s3", "dynamodb"))
        self.s3.create_bucket(Bucket=BUCKET)
        texts = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "entity_id", "made_at")]
        keys = [{"AttributeName": "entity_id", "KeyType": "HASH"}, {"AttributeName": "made_at", "KeyType": "RANGE"}]
        index = {"IndexName": "by_entity", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=texts,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[index],
            BillingMode="PAY_PER_REQUEST",
        )

    def write(self, files: list[Path]) -> dict:
        """{rows, seconds, cpu_s of the function, server_cpu_s} of one function that is given file after file."""
        for file in files:
            self.s3.upload_file(str(file), BUCKET, file.name)
        events = [json.dumps({"bucket": BUCKET, "key": file.name}) for file in files]
        before = measure.cpu_seconds(self.server["pid"])
        command = [sys.executable, "-c", FUNCTION, *events]
        child = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True)
        return {**json.loads(child.stdout), "server_cpu_s": measure.cpu_seconds(self.server["pid"]) - before}

    def stop(self) -> None:
        stop(self.folder / "state")


def _environment_of(endpoint: str, folder: Path, key: RootKey) -> dict:
    """What a function finds around it: its zip's settings, its table, where AWS is."""
    values = {"config": settings(), "contract": contract_rules.as_dict(contract()), "code_version": "bench"}
    (folder / "settings.json").write_text(json.dumps(values))
    return {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(folder),
        "PREDICTIONS_TABLE": TABLE,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_ENDPOINT_URL": endpoint,
    }
