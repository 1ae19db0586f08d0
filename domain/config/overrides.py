"""Settings given one by one, as SECTION.KEY=VALUE, over those of fairway.toml."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from domain.config.sections import Config, ConfigError, Document, of_stage, problems_of


def with_overrides(document: Document, stage: str, texts: Sequence[str]) -> Config:
    """Return the settings of a stage with others in their place. Raises ConfigError naming every problem.

    A value is written as in TOML; a text needs no quotes. It also replaces what the stage has of its own.
    """
    changed = copy.deepcopy(document)
    problems = []
    for text in texts:
        path, _, value = text.partition("=")
        names = [name.strip() for name in path.split(".")]
        if len(names) < 2 or not all(names) or not value.strip():
            problems.append(f"{text}: must be SECTION.KEY=VALUE, such as data.window_days=120")
            continue
        _set(changed, names, _value_of(value.strip()))
        own = changed.get("stages", {}).get(stage, {})
        if _has(own, names):
            _set(own, names, _value_of(value.strip()))
    problems = problems or problems_of(changed)
    if problems:
        raise ConfigError("--set", problems)
    return of_stage(changed, stage)


def _value_of(text: str) -> Any:
    import tomllib  # deployed functions read no TOML

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:  # a text without quotes
        return text


def _set(document: Document, names: Sequence[str], value: Any) -> None:
    for name in names[:-1]:
        inner = document.get(name)
        if not isinstance(inner, dict):
            inner = document[name] = {}
        document = inner
    document[names[-1]] = value


def _has(document: Document, names: Iterable[str]) -> bool:
    found: Any = document
    for name in names:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True
