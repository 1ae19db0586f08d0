"""TOML of `fairway init`: whatever the columns are called, the file is read back with the same values."""

import re

BARE = re.compile(r"[A-Za-z0-9_-]+")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def key(name: str) -> str:
    return name if BARE.fullmatch(name) else text(name)


def value(thing: object) -> str:
    if isinstance(thing, bool):
        return "true" if thing else "false"
    if isinstance(thing, (int, float)):
        return repr(thing)
    if isinstance(thing, str):
        return text(thing)
    if isinstance(thing, (list, tuple)):
        return f"[{', '.join(map(value, thing))}]"
    if isinstance(thing, dict):
        return f"{{ {', '.join(f'{key(name)} = {value(inner)}' for name, inner in thing.items())} }}"
    raise TypeError(f"{type(thing).__name__} {thing!r} cannot be written as TOML")


def text(content: str) -> str:
    return '"' + "".join(map(_escaped, content)) + '"'


def _escaped(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def lines(values: dict) -> list[str]:
    """Write `key = value` for each value that is not None."""
    return [f"{key(name)} = {value(thing)}" for name, thing in values.items() if thing is not None]
