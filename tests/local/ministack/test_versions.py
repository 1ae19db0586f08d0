"""Parts of an object's versions, of which S3 sends what was asked for."""

import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def versions(aws):
    """(client, where the version is, its content) of an object's old and new version."""
    s3, bucket = aws.client("s3"), f"versions-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    contents = [b"0123456789", b"abcdefgh"]
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in contents]
    return s3, [({"Bucket": bucket, "Key": "k", "VersionId": id}, body) for id, body in zip(ids, contents, strict=True)]


def test_a_range_of_a_version_is_that_part_of_it(versions):
    s3, places = versions
    for place, content in places:
        part = s3.get_object(**place, Range="bytes=2-4")
        assert part["Body"].read() == content[2:5]
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert part["ContentRange"] == f"bytes 2-4/{len(content)}"
        assert s3.get_object(**place, Range="bytes=-3")["Body"].read() == content[-3:]
        assert s3.get_object(**place)["Body"].read() == content


def test_a_range_behind_the_end_of_a_version_is_refused(versions):
    s3, places = versions
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**places[0][0], Range="bytes=100-200")
