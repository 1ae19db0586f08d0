"""Text of files, tables and templates on a terminal, with control characters made visible."""

import re

# What moves the cursor, changes colours or titles (C0 except tab and line feed, DEL, C1), or reverses the writing
# direction.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return the text with such characters written as escapes, in JSON's form."""
    return OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
