"""A file of the lake with random access, so that a few columns of a Parquet part cost only their own bytes."""

import io
from typing import Any


class LakeFile(io.RawIOBase):
    """An object of S3, or a version of it, as a seekable file; each read is one request."""

    def __init__(self, s3: Any, bucket: str, key: str, *, version: str | None = None) -> None:
        place = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        self.get = lambda span: s3.get_object(**place, Range=span)["Body"].read()
        self.size = s3.head_object(**place)["ContentLength"]
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        return self.place

    def readinto(self, buffer: Any) -> int:
        most = min(len(buffer), self.size - self.place)
        if most <= 0:
            return 0
        found: bytes = self.get(f"bytes={self.place}-{self.place + most - 1}")
        buffer[: len(found)] = found
        self.place += len(found)
        return len(found)
