"""The header of a plan file: magic, version (u32), length of the body (u64), its sha256. Standard library only."""

import hashlib
import struct

from model_code.refusals import PlanCorrupt

_MAGIC = b"FAIRPLAN"
VERSION = 1
HEADER = struct.Struct("<8sIQ32s")


def with_header(body: bytes | bytearray) -> bytes:
    return HEADER.pack(_MAGIC, VERSION, len(body), hashlib.sha256(body).digest()) + bytes(body)


def checked_body(data: bytes) -> bytes:
    """Return the bytes behind the header; PlanCorrupt unless they match it. Their meaning is the reader's to check."""
    if len(data) < HEADER.size:
        raise PlanCorrupt(f"a plan has a header of {HEADER.size} bytes, found {len(data)} bytes")
    magic, version, length, digest = HEADER.unpack_from(data)
    body = bytes(data[HEADER.size :])
    if magic != _MAGIC:
        raise PlanCorrupt(f"a plan begins with {_MAGIC!r}, found {magic!r}")
    if version != VERSION:
        raise PlanCorrupt(f"this program reads plan version {VERSION}, found {version}: compile the model again")
    if length != len(body) or hashlib.sha256(body).digest() != digest:
        raise PlanCorrupt("the bytes of the plan do not match their length and sha256")
    return body
