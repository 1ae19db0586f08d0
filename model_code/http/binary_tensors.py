"""Tensors in binary form, the default of Triton's and KServe's clients: behind the JSON, one after the other.

Numbers are little-endian; a text is its length in four bytes, then its UTF-8. A header gives the length of the JSON.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import math
import struct
from typing import Any

FORMATS = {
    "BOOL": "?",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
}
_LENGTH = struct.Struct("<I")


class TensorRefused(ValueError):
    """The bytes are not a tensor of the datatype given."""


def read_tensor(datatype: object, data: bytes) -> list[Any]:
    """Return the values, texts or numbers, of a tensor of any type that a request may name; or raise TensorRefused."""
    if datatype == "BYTES":
        return _read_texts(data)
    if not isinstance(datatype, str) or datatype not in FORMATS:
        known = ", ".join(["BYTES", *FORMATS])
        raise TensorRefused(f"datatype = {datatype!r}: must be one of {known} in binary form")
    size = struct.calcsize("<" + FORMATS[datatype])
    if len(data) % size:
        raise TensorRefused(f"{len(data)} bytes: must be a multiple of {size}, the size of one {datatype}")
    return list(struct.unpack(f"<{len(data) // size}{FORMATS[datatype]}", data))


def _read_texts(data: bytes) -> list[str]:
    texts, place = [], 0
    while place < len(data):
        start = place + _LENGTH.size
        length = _LENGTH.unpack_from(data, place)[0] if start <= len(data) else len(data)
        if start + length > len(data):
            raise TensorRefused("the last text is cut off: must be as long as the four bytes before it give")
        place = start + length
        texts.append(_read_text(data[start:place]))
    return texts


def _read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TensorRefused(f"a text is not UTF-8: {error}") from None


def written(datatype: str, values: list[Any]) -> bytes:
    """Return the bytes of a tensor of texts or of numbers, in which None becomes NaN."""
    if datatype == "BYTES":
        return b"".join(_LENGTH.pack(len(text)) + text for text in map(str.encode, values))
    numbers = (math.nan if value is None else value for value in values)
    return struct.pack(f"<{len(values)}{FORMATS[datatype]}", *numbers)
