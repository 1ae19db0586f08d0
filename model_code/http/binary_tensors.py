"""Tensors in binary form, as Triton's and KServe's clients send them unless told otherwise: behind the JSON, one after
the other.

Numbers are little-endian, a text is its length in four bytes and its UTF-8. Where the JSON ends says a header.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import math
import struct

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
LENGTH = struct.Struct("<I")


class TensorRefused(ValueError):
    """The bytes are not the tensor that they are said to be."""


def read_tensor(datatype: str, data: bytes) -> list:
    if datatype == "BYTES":
        return read_texts(data)
    if datatype not in FORMATS:
        raise TensorRefused(f"has the datatype {datatype!r}; in binary form are read {', '.join(['BYTES', *FORMATS])}")
    size = struct.calcsize("<" + FORMATS[datatype])
    if len(data) % size:
        raise TensorRefused(f"has {len(data)} bytes, which are no whole number of {datatype}")
    return list(struct.unpack(f"<{len(data) // size}{FORMATS[datatype]}", data))


def read_texts(data: bytes) -> list[str]:
    texts, place = [], 0
    while place < len(data):
        start = place + LENGTH.size
        length = LENGTH.unpack_from(data, place)[0] if start <= len(data) else math.inf
        if start + length > len(data):
            raise TensorRefused("is cut off in the middle of a text")
        place = start + length
        texts.append(read_text(data[start:place]))
    return texts


def read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TensorRefused(f"holds a text that is not UTF-8: {error}") from None


def written(datatype: str, values: list) -> bytes:
    """The bytes of a tensor of texts or of numbers, where None is NaN."""
    if datatype == "BYTES":
        return b"".join(LENGTH.pack(len(text)) + text for text in map(str.encode, values))
    return struct.pack(
        f"<{len(values)}{FORMATS[datatype]}", *(math.nan if value is None else value for value in values)
    )
