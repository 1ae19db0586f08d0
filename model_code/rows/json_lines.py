"""Arrow columns as JSON, one list a line, without a Python object for each value."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ESCAPED = r'["\\\x00-\x1f]'
CONTROL, QUOTE, BACKSLASH = 0x20, ord('"'), ord("\\")


def json_lines(columns: list[pa.Array]) -> pa.StringArray:
    """A line for each row, line end included. The texts lie one behind the other, as `text_between` needs them."""
    parts, before = [], "["
    for values in columns:
        quote, texts = ('"', escaped(values)) if is_whole_text(values) else ("", json_texts(values))
        parts += [before + quote, texts]
        before = quote + ","
    return pc.binary_join_element_wise(*parts, before[:-1] + "]\n", "")


def is_whole_text(values: pa.Array) -> bool:
    """Every value is a text, so quotes can stand between columns and cost nothing."""
    return pa.types.is_string(values.type) and not values.null_count


def text_between(lines: pa.StringArray, start: int, end: int) -> memoryview:
    """The lines from `start` up to `end`, in UTF-8, not copied."""
    _, offsets, text = lines.buffers()
    places = np.frombuffer(offsets, np.int32)[lines.offset :]
    return memoryview(text)[places[start] : places[end]]


def json_texts(values: pa.Array) -> pa.StringArray:
    """Each value as JSON. Numbers have the fewest digits that are read back as the same number; they must be finite."""
    kind = values.type
    if pa.types.is_boolean(kind):
        texts = pc.if_else(values, "true", "false")
    elif pa.types.is_string(kind):
        texts = pc.binary_join_element_wise('"', escaped(values), '"', "")
    elif pa.types.is_map(kind):
        texts = pc.binary_join_element_wise("{", entries(values), "}", "")
    else:
        texts = pc.cast(values, pa.string())
    return pc.fill_null(texts, "null") if texts.null_count else texts


def escaped(texts: pa.StringArray) -> pa.StringArray:
    """As they stand within quotes; only those that need it are looked at one by one."""
    if not has_escapes(texts):
        return texts
    special = pc.fill_null(pc.match_substring_regex(texts, ESCAPED), False)
    found = [json.dumps(text, ensure_ascii=False)[1:-1] for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(texts, special, pa.array(found, pa.string()))


def has_escapes(texts: pa.StringArray) -> bool:
    text = texts.buffers()[2]
    if text is None:
        return False
    _, offsets, _ = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    found = np.frombuffer(text, np.uint8)[places[0] : places[-1]]
    return bool(((found < CONTROL) | (found == QUOTE) | (found == BACKSLASH)).any())


def entries(maps: pa.MapArray) -> pa.StringArray:
    """What stands between the braces of each."""
    pairs = pc.binary_join_element_wise(json_texts(maps.keys), json_texts(maps.items), ":")
    return pc.binary_join(pa.ListArray.from_arrays(maps.offsets, pairs), ",")
