"""Writes docs/settings.md from domain/config/sections.py, the settings' one home: python docs/settings.py >
docs/settings.md
"""

import dataclasses
from typing import get_origin

from domain.config.sections import SECTIONS, Target

HEAD = """# fairway.toml

What a project sets. A wrong key, type or value is refused with the file, the key, what was found and what is \
allowed; every
problem is listed at once (`fairway check`). `[stages.NAME]` holds the account and region of a stage, and overrides any
setting: `[stages.prod]` with `release.approve = "manual"`. The stage `local` is the machine you sit at; it \
needs no entry.

This page is written from `domain/config/sections.py` by `python docs/settings.py`.
"""


def page() -> str:
    parts = [HEAD]
    for name, section in {**SECTIONS, "stages.NAME": Target}.items():
        parts.append(f"\n## [{name}]\n\n| setting | default | allowed | what for |\n| --- | --- | --- | --- |\n")
        parts += [row(spec) for spec in dataclasses.fields(section)]
    return "".join(parts)


def row(spec) -> str:
    return f"| `{spec.name}` | {default(spec)} | {allowed(spec)} | {spec.metadata['doc']} |\n"


def default(spec) -> str:
    if spec.default_factory is not dataclasses.MISSING:
        return f"`{spec.default_factory()}`"
    if spec.default is None:
        return "left out"
    return "must be given" if spec.default is dataclasses.MISSING else f"`{spec.default!r}`".replace("'", '"')


def allowed(spec) -> str:
    limits = spec.metadata
    if "choices" in limits:
        return ", ".join(f"`{choice}`" for choice in limits["choices"])
    if "form" in limits:
        return limits["form"]
    if "pattern" in limits:
        return "`" + limits["pattern"].replace("|", "\\|") + "`"
    span = [f"{word} {limits[key]}" for key, word in (("least", "from"), ("most", "to")) if key in limits]
    return f"{(get_origin(spec.type) or spec.type).__name__} {' '.join(span)}".strip()


if __name__ == "__main__":
    print(page(), end="")
