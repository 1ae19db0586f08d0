"""A deployed stage of the reference project on moto, with an entity in every place, and what is stored there."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from domain import lake, records
from domain.release.counts import Kind, seen_key
from fairway.cli import main
from lambdas import parquet
from tests.fairway.commands.test_load import table

LAKE = "flights-dev-lake"
GONE, STAYS = "CANARY1", "UA2"
TABLES = {
    "predictions": ("id",),
    "outcomes": ("entity_id", "event_time"),
    "runs": ("kind", "run"),
    "routing": ("item",),
    "evidence": ("rollout", "item"),
}
EXPIRES = 2**31


@dataclass(frozen=True)
class Stage:
    """The stage; `run` runs a command on it and returns its exit code and its JSON."""

    aws: Callable[[str], Any]
    project: Path
    run: Callable[..., tuple[int, Any]]

    def put(self, table: str, **item: Any) -> None:
        self.aws("dynamodb").put_item(TableName=f"flights-dev-{table}", Item=records.to_item(item))

    def upload(self, key: str, body: bytes) -> str:
        """Return the ETag."""
        etag: str = self.aws("s3").put_object(Bucket=LAKE, Key=key, Body=body)["ETag"]
        return etag.strip('"')

    def contents(self) -> dict[str, Any]:
        """Return what is stored: items of each table, and rows or text of each version of each object."""
        return {**{name: self._items(name) for name in TABLES}, "lake": self._versions()}

    def _items(self, name: str) -> list[dict[str, Any]]:
        found = self.aws("dynamodb").scan(TableName=f"flights-dev-{name}")["Items"]
        plain = [{key: _plain(value) for key, value in records.from_item(item).items()} for item in found]
        return sorted(plain, key=lambda item: json.dumps(item, sort_keys=True, default=str))

    def _versions(self) -> list[tuple[str, bool, str]]:
        """Return (key, whether it is current, content) of each version."""
        s3 = self.aws("s3")
        listed = s3.list_object_versions(Bucket=LAKE).get("Versions", [])
        return [(one["Key"], one["IsLatest"], _text(one["Key"], _body(s3, one))) for one in listed]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return zlib.decompress(value).decode()
    return sorted(value) if isinstance(value, set | list) else value


def _body(s3: Any, version: dict[str, Any]) -> bytes:
    found: bytes = s3.get_object(Bucket=LAKE, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
    return found


def _text(key: str, body: bytes) -> str:
    if key.endswith(".parquet"):
        return json.dumps(pq.read_table(io.BytesIO(body)).to_pylist(), default=str)
    return (gzip.decompress(body) if key.endswith(".gz") else body).decode()


def deploy(aws: Callable[[str], Any]) -> None:
    """Make the stage's lake and tables and its address book."""
    s3 = aws("s3")
    s3.create_bucket(Bucket=LAKE)
    s3.put_bucket_versioning(Bucket=LAKE, VersioningConfiguration={"Status": "Enabled"})
    for name, keys in TABLES.items():
        _make_table(aws("dynamodb"), name, keys)
    book = {"lake": LAKE, "api_url": "https://api", **{name: f"flights-dev-{name}" for name in TABLES}}
    aws("ssm").put_parameter(Name="/fairway/flights/dev", Type="String", Value=json.dumps(book))


def _make_table(dynamodb: Any, name: str, keys: tuple[str, ...]) -> None:
    index = {
        "IndexName": "by_entity",
        "Projection": {"ProjectionType": "ALL"},
        "KeySchema": _keys("entity_id", "made_at"),
    }
    more = {"GlobalSecondaryIndexes": [index]} if name == "predictions" else {}
    attributes = {*keys, *(("entity_id", "made_at") if more else ())}
    dynamodb.create_table(
        TableName=f"flights-dev-{name}",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in sorted(attributes)],
        KeySchema=_keys(*keys),
        **more,
    )


def _keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def fill(stage: Stage, folder: Path) -> None:
    """Put the entity GONE, and beside it others, into every place."""
    _load(stage, folder)
    _answer(stage)
    _capture(stage)
    _score(stage)
    stage.put("runs", kind="train", run="t-1", train_start="2013-01-01T00:00:00Z", as_of="2013-02-01T00:00:00Z")
    stage.put("runs", kind="train", run="t-2", train_start="2012-01-01T00:00:00Z", as_of="2013-01-01T00:00:00Z")
    stage.put("routing", item="release#r-1", release="r-1", run="t-1", state="champion")
    stage.put("routing", item="release#r-2", release="r-2", run="t-2", state="retired")


def _load(stage: Stage, folder: Path) -> None:
    """Rows and quarantine of one file that counts, and rows of one that was taken back."""
    own = {"flight_id": GONE}
    counts = table(
        folder / "one.csv", own, {}, {**own, "hour": "25"}, {"hour": "26"}, {**own, "departure": "2013-03-01"}
    )
    assert stage.run("load", counts)[0] == 0
    taken_back = table(folder / "two.csv", {**own, "departure": "2013-01-02"})
    assert stage.run("load", taken_back)[0] == 0
    assert stage.run("unload", taken_back)[0] == 0


def _answer(stage: Stage) -> None:
    """Predictions, a request that is remembered with them, and outcomes."""
    for number, entity in enumerate((GONE, STAYS, GONE)):
        made = {"made_at": f"2013-01-0{number + 1}T00:00:00Z", "features": '{"seats": 149}', "expires_at": EXPIRES}
        stage.put("predictions", id=f"{number:032x}", entity_id=entity, **made)
        stage.put("outcomes", entity_id=entity, event_time=f"2013-01-0{number + 1}T10:00:00Z", outcome=True)
        stage.put("evidence", rollout="r-2/x", item=f"answer#{number:032x}", other="true")
        stage.put("evidence", **records.from_item(seen_key("r-2/x", Kind.ENTITIES, entity)))
    stage.put("evidence", **records.from_item(seen_key("r-1/x", Kind.SLOW, GONE)))
    stage.put("evidence", rollout="r-2/x", item="share#0.05", canary_rows=3)
    stage.put("outcomes", entity_id=f"prediction#{2:032x}", event_time="unknown", outcome=False)
    stage.put("outcomes", entity_id=f"prediction#{1:032x}", event_time="unknown", outcome=False)
    for key, entities in {"a": (STAYS, GONE), "b": (STAYS,)}.items():
        answers = zlib.compress(json.dumps([{"id": key, "entity_id": entity} for entity in entities]).encode())
        stage.put("predictions", id=f"request#{key}", fingerprint="f", answers=answers, expires_at=EXPIRES)


def _capture(stage: Stage) -> None:
    """Answers as the capture writes them, and one that it could not read."""
    rows = [{**_answer_row(number, entity), "features": "{}"} for number, entity in enumerate((GONE, STAYS))]
    kinds = {
        name: parquet.Kind.NUMBER if isinstance(value, float) else parquet.Kind.TEXT for name, value in rows[0].items()
    }
    texts = [{name: value if isinstance(value, float) else str(value) for name, value in row.items()} for row in rows]
    stage.upload(lake.captured_key("2013-05-01T00", "1-a"), parquet.parquet(kinds, texts))
    for entity in (GONE, STAYS):
        record = {"dynamodb": {"NewImage": {"entity_id": {"S": entity}, "features": {"S": "["}}}}
        document = {"reason": "features = '[': must be a JSON object", "record": record}
        stage.upload(lake.unreadable_key(f"1-{entity[:1]}"), json.dumps(document).encode())


def _score(stage: Stage) -> None:
    """A run of a batch, a file that waits for the schedule, scored once already, and another that nobody can read."""
    incoming = "batch/incoming/may.csv"
    etag = stage.upload(incoming, f"flight_id,hour\r\n{GONE},5\r\n{STAYS},6\r\n".encode())
    key = "scored/c/r-1/b-1.json"
    scored = {"key": key, "run": "b-1", "store": True, "files": {lake.uri(LAKE, incoming): etag}}
    stage.upload(key, json.dumps(scored).encode())
    stage.upload("batch/b-1/settings/run.json", b'{\n "run": "b-1"\n}')
    answers = [_answer_row(number, entity) for number, entity in enumerate((STAYS, GONE, STAYS))]
    stage.upload("batch/b-1/predictions/may.csv-1.parquet", _parquet(answers))
    problems = json.dumps([{"column": "hour", "value": 25, "rule": "maximum", "allowed": "must be at most 23"}])
    bad = [
        {"row_number": 1, "row": json.dumps({"flight_id": entity}), "problems": problems} for entity in (GONE, STAYS)
    ]
    stage.upload("batch/b-1/quarantine/may.csv-1.parquet", _parquet(bad))
    head = {"all_rows": {"run": "b-1"}, "each_row": ["row_number", "entity_id"], "shard_id": "0"}
    lines = [json.dumps(head), json.dumps([1, STAYS]), json.dumps([2, GONE]), ""]
    stage.upload("batch/b-1/results/may.csv-1.jsonl.gz", gzip.compress("\n".join(lines).encode()))


def _answer_row(number: int, entity: str) -> dict[str, Any]:
    made = {"made_at": "2013-05-01T00:00:00Z", "run": "b-1", "source": "model", "probability": 0.5}
    return {"row_number": number, "id": f"{number + 100:032x}", "entity_id": entity, **made}


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), body)
    return body.getvalue()


def runner(project: Path, capsys: Any) -> Callable[..., tuple[int, Any]]:
    """Return what runs a command on the stage `dev` of the project."""

    def run(*words: Any) -> tuple[int, Any]:
        capsys.readouterr()
        code = main([*map(str, words), "--stage", "dev", "--project", str(project), "--json"])
        said = capsys.readouterr()
        assert said.out, said.err
        return code, json.loads(said.out)

    return run
