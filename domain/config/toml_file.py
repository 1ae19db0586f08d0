"""A TOML file as people hand it in: whatever is wrong with it ends in one line."""

from pathlib import Path
from typing import Any

LARGEST_BYTES = 4 * 1024 * 1024


def document_of(file: Path) -> dict[str, Any]:
    """Read the document. Raises FileNotFoundError, and ValueError with what is wrong with the file."""
    import tomllib  # a deployed function reads no TOML, and pays for every import

    text = _text_of(file)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("not valid TOML: lists or tables are nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits too, which Python does not read
        raise ValueError(f"not valid TOML: {error}") from None


def _text_of(file: Path) -> str:
    """A device or a pipe may never end, so only a file is read, and not more of it than settings can be."""
    if file.exists() and not file.is_file():
        raise ValueError("must be a file; it is a folder, a pipe or a device")
    with file.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"has more than {LARGEST_BYTES:,} bytes; settings and contracts have fewer")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from None
