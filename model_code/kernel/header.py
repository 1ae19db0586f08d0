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
    """Return the bytes after the header.

    Raises PlanCorrupt unless they match it; their meaning is checked by the reader.
    """
    if len(data) < HEADER.size:
        raise PlanCorrupt(f"a plan of {len(data)} bytes: must have a header of {HEADER.size} bytes")
    magic, version, length, digest = HEADER.unpack_from(data)
    body = bytes(data[HEADER.size :])
    if magic != _MAGIC:
        raise PlanCorrupt(f"a plan that begins with {magic!r}: must begin with {_MAGIC!r}")
    if version != VERSION:
        raise PlanCorrupt(f"plan version = {version}: must be {VERSION}; compile the model again")
    if length != len(body) or hashlib.sha256(body).digest() != digest:
        raise PlanCorrupt("the bytes of the plan do not match their length and sha256")
    return body
