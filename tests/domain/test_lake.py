import pytest

from domain import lake


def test_where_everything_lies():
    assert lake.rows_key("load-1", "2013-01", 3) == "rows/month=2013-01/load-1-00003.parquet"
    assert lake.quarantine_key("load-1", 3) == "quarantine/load=load-1/00003.parquet"
    assert lake.captured_key("2013-04-01T08", "7-ab") == "captured/hour=2013-04-01T08/7-ab.parquet"
    assert lake.captured_prefix() == "captured/"
    assert lake.unreadable_key("7-ab") == "quarantine/captured/7-ab.json"
    assert lake.run_key("run-1", "evaluation.json") == "runs/run-1/evaluation.json"
    assert lake.artefacts_prefix("run-1") == "artefacts/run-1/"
    assert lake.checkpoints_prefix("run-1", "prior") == "scratch/checkpoints/run-1/prior/"
    assert lake.batch_prefix("run-1", "summary") == "batch/run-1/summary/"


@pytest.mark.parametrize(
    ("text", "place"), [("s3://b/a/c.csv", ("b", "a/c.csv")), ("s3://b/", ("b", "")), ("s3://b/ü d", ("b", "ü d"))]
)
def test_a_uri_is_a_bucket_and_a_key(text, place):
    assert lake.split_uri(text) == place
    assert lake.uri(*place) == text


@pytest.mark.parametrize("text", ["", "b/a", "s3://", "s3://b", "s3:///a", "https://b/a"])
def test_anything_else_is_no_uri(text):
    with pytest.raises(ValueError, match="must be s3://BUCKET/KEY"):
        lake.split_uri(text)
