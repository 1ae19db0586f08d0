import gzip
import io
import tarfile

import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from lambdas.aws import clients, objects
from lambdas.aws.connections import Unreachable
from lambdas.batch import write_results
from lambdas.release import verify_release
from tests.lambdas import stage
from tests.lambdas.batch.test_write_results import lines

BROKEN = [
    ResponseStreamingError(error="reset"),
    ReadTimeoutError(endpoint_url="https://s3"),
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
]


class BreaksOff:
    """S3 as it answers when the connection breaks after some bytes of an object."""

    def __init__(self, bytes_before: bytes, error: Exception):
        self.bytes, self.error, self.is_closed = io.BytesIO(bytes_before), error, False

    def get_object(self, **_):
        return {"Body": self}

    def read(self, size=-1):
        found = self.bytes.read(size)
        if not found:
            raise self.error
        return found

    def close(self):
        self.is_closed = True


@pytest.fixture(params=BROKEN, ids=lambda error: type(error).__name__)
def broken(request, monkeypatch):
    def after(some: bytes) -> BreaksOff:
        s3 = BreaksOff(some, request.param)
        monkeypatch.setattr(clients, "s3", lambda: s3)
        return s3

    return after


def test_a_connection_that_breaks_is_no_fault_of_the_object(broken):
    s3 = broken(b"abc")
    with pytest.raises(Unreachable, match="s3://lake/key: "), objects.stream("lake", "key") as body:  # noqa: PT012 - the answer is read inside too
        assert body.read() == b"abc"
        body.read()
    assert s3.is_closed


def test_results_that_come_to_half_are_tried_again_and_not_called_unreadable(broken):
    whole = gzip.compress(b"".join(lines(1000)))
    broken(whole[: len(whole) // 2])
    with pytest.raises(Unreachable):
        list(write_results.read_lines("lake", "batch/run-1/results/a.jsonl.gz"))


def test_an_artefact_that_comes_to_half_is_tried_again_and_not_called_forged(broken):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("model.bin"))
    broken(archive.getvalue()[:20])
    with pytest.raises(Unreachable):
        verify_release.manifest_of("s3://lake/model.tar.gz")


def test_many_documents_come_in_the_order_they_were_asked_for_and_none_for_what_is_not_there(aws):
    for number in range(30):
        aws.upload(f"documents/{number}.json", {"number": number})
    keys = [f"documents/{number}.json" for number in (29, *range(29), 30)]
    assert objects.read_each(stage.LAKE, keys) == [{"number": 29}, *({"number": number} for number in range(29)), None]
