"""Read a TOML file written by a person; anything wrong with it is reported in one line."""

from pathlib import Path
from typing import Any

LARGEST_BYTES = 4 * 1024 * 1024


def document_of(file: Path) -> dict[str, Any]:
    """Read the document. Raises FileNotFoundError, or ValueError with what is wrong with the file."""
    import tomllib  # deployed functions read no TOML, and every import makes their cold start longer

    text = _text_of(file)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("not valid TOML: lists or tables are nested too deeply") from None
    except ValueError as error:  # also an integer of thousands of digits, which Python does not read
        raise ValueError(f"not valid TOML: {error}") from None


def _text_of(file: Path) -> str:
    """Read the text of a regular file of limited size: a device or a pipe may never end."""
    if file.exists() and not file.is_file():
        raise ValueError("must be a file, not a folder, a pipe or a device")
    with file.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"must have at most {LARGEST_BYTES:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from None
