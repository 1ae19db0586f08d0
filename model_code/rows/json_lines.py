"""Arrow columns as JSON, one list a line, without a Python object for each value."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ESCAPED = r'["\\\x00-\x1f]'
_CONTROL, _QUOTE, _BACKSLASH = 0x20, ord('"'), ord("\\")


def json_lines(columns: list[pa.Array]) -> pa.StringArray:
    """Write a line for each row, line end included. The texts are contiguous, as `text_between` needs them."""
    parts, before = [], "["
    for values in columns:
        quote, texts = ('"', _escaped(values)) if _is_whole_text(values) else ("", _json_texts(values))
        parts += [before + quote, texts]
        before = quote + ","
    return pc.binary_join_element_wise(*parts, before[:-1] + "]\n", "")


def _is_whole_text(values: pa.Array) -> bool:
    """Whether every value is a text, so that quotes can stand between columns and cost nothing."""
    return pa.types.is_string(values.type) and not values.null_count


def text_between(lines: pa.StringArray, start: int, end: int) -> memoryview:
    """Return the lines from `start` up to `end`, in UTF-8, not copied."""
    _, offsets, text = lines.buffers()
    places = np.frombuffer(offsets, np.int32)[lines.offset :]
    return memoryview(text)[places[start] : places[end]]


def _json_texts(values: pa.Array) -> pa.StringArray:
    """Write each value as JSON. Numbers must be finite; they get the fewest digits that are read back as the same."""
    kind = values.type
    if pa.types.is_boolean(kind):
        texts = pc.if_else(values, "true", "false")
    elif pa.types.is_string(kind):
        texts = pc.binary_join_element_wise('"', _escaped(values), '"', "")
    elif pa.types.is_map(kind):
        texts = pc.binary_join_element_wise("{", _entries(values), "}", "")
    else:
        texts = pc.cast(values, pa.string())
    return pc.fill_null(texts, "null") if texts.null_count else texts


def _escaped(texts: pa.StringArray) -> pa.StringArray:
    """Write texts as they stand within quotes; only those that need escapes are handled one by one."""
    if not _has_escapes(texts):
        return texts
    special = pc.fill_null(pc.match_substring_regex(texts, _ESCAPED), False)
    special_texts = [json.dumps(text, ensure_ascii=False)[1:-1] for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(texts, special, pa.array(special_texts, pa.string()))


def _has_escapes(texts: pa.StringArray) -> bool:
    text = texts.buffers()[2]
    if text is None:
        return False
    _, offsets, _ = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(text, np.uint8)[places[0] : places[-1]]
    return bool(((letters < _CONTROL) | (letters == _QUOTE) | (letters == _BACKSLASH)).any())


def _entries(maps: pa.MapArray) -> pa.StringArray:
    """Write the entries of each map, as they stand between its braces."""
    pairs = pc.binary_join_element_wise(_json_texts(maps.keys), _json_texts(maps.items), ":")
    return pc.binary_join(pa.ListArray.from_arrays(maps.offsets, pairs), ",")
