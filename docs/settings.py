"""Write docs/settings.md from domain/config/sections.py: python docs/settings.py > docs/settings.md."""

import dataclasses
import json
from typing import get_origin

from domain.config.sections import SECTIONS, Target

HEAD = """# fairway.toml

Every setting of a project. An unknown key and a wrong type or value are refused with the file, the key, the value and
what is allowed; `fairway check` reports every problem at once. `[stages.NAME]` holds the account and region of a stage,
and overrides any other setting, for example `[stages.prod]` with `release.approve = "manual"`. The stage `local` is
this machine; it needs no entry.

This page is written from `domain/config/sections.py` by `python docs/settings.py`.
"""

KINDS = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text", dict: "table"}
BOUNDS = {"least": "from", "most": "to"}


def page() -> str:
    parts = [HEAD]
    for name, section in {**SECTIONS, "stages.NAME": Target}.items():
        parts.append(f"\n## [{name}]\n\n| setting | default | allowed | description |\n| --- | --- | --- | --- |\n")
        parts += [row(spec) for spec in dataclasses.fields(section)]
    return "".join(parts)


def row(spec) -> str:
    return f"| `{spec.name}` | {default(spec)} | {allowed(spec)} | {spec.metadata['doc']} |\n"


def default(spec) -> str:
    if spec.default_factory is not dataclasses.MISSING:
        return f"`{json.dumps(spec.default_factory())}`"
    if spec.default is None:
        return "omitted"
    return "required" if spec.default is dataclasses.MISSING else f"`{json.dumps(spec.default)}`"


def allowed(spec) -> str:
    limits = spec.metadata
    if "choices" in limits:
        return ", ".join(f"`{choice}`" for choice in limits["choices"])
    if "form" in limits:
        return limits["form"]
    bounds = {word: f"{limits[key]:,}".removesuffix(".0") for key, word in BOUNDS.items() if key in limits}
    span = [f"{word} {bound}" for word, bound in bounds.items()]
    return " ".join([KINDS[get_origin(spec.type) or spec.type], *span])


if __name__ == "__main__":
    print(page(), end="")
