"""Compare the project's settings with the deployed ones: edited sections are reported when a command connects.

Commands for emergencies (`down`, `status`, `rollback`) also work with a wrong fairway.toml.
"""

import re
from pathlib import Path

from domain.config.sections import LOCAL, Config, ConfigError, of_stage, read_config
from domain.fingerprints import CONTRACT, edited, fingerprints
from fairway.stage.aws import Stage, connect, contract_of
from fairway.terminal.progress import Progress

SECTION = re.compile(r"\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(#.*)?")
TEXT = re.compile(r"""\s*(?P<key>\w+)\s*=\s*(?P<quote>["'])(?P<value>[^"']*)(?P=quote)\s*(#.*)?""")


def connected(folder: Path, stage_name: str, progress: Progress) -> Stage:
    """Connect to the stage, and report edits since the deployment: they have no effect until the next one."""
    stage = connect(folder, stage_name)
    if note := not_deployed(stage):
        progress(f"Note: {note}")
    return stage


def not_deployed(stage: Stage) -> str | None:
    """Name the sections that were edited after the deployment, in a sentence; None if there are none."""
    now = fingerprints(stage.config, stage.contract)
    names = [
        "the contract" if name == CONTRACT else f"[{name}]" for name in edited(stage.addresses.get("settings", {}), now)
    ]
    if not names:
        return None
    how = "`fairway up`" if stage.is_local else "`fairway deploy`"
    differ = "differs" if len(names) == 1 else "differ"
    return (
        f"{', '.join(names)} {differ} from what is deployed, and the deployed values are used; {how} applies the edit"
    )


def connected_whatever(folder: Path, stage_name: str, progress: Progress) -> Stage:
    """Connect by a project's name and a stage's region alone, if fairway.toml or the contract is wrong."""
    try:
        contract_of(folder, read_config(folder, stage_name))
    except ConfigError as error:
        config = _readable(folder, stage_name)
        if config is None:
            raise
        first = str(error).splitlines()[0]
        progress(f"Note: {first}; continuing without it, `fairway check` lists every problem")
        return connect(folder, stage_name, config=config)
    return connected(folder, stage_name, progress)


def _readable(folder: Path, stage_name: str) -> Config | None:
    """Return only the settings that identify the stage, read line by line; None if that fails."""
    try:
        lines = (folder / "fairway.toml").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    texts = _texts(lines)
    name, target = texts.get("project", {}).get("name"), texts.get(f"stages.{stage_name}")
    if not name or (stage_name != LOCAL and target is None):
        return None
    region = {"region": target["region"]} if target and "region" in target else {}
    project = {"name": name, "contract": "contract.toml", "task": "regression"}
    return of_stage({"project": project, "stages": {stage_name: region} if region else {}}, stage_name)


def _texts(lines: list[str]) -> dict[str, dict[str, str]]:
    """Return {section: {key: text}} of the well-formed lines."""
    texts: dict[str, dict[str, str]] = {}
    section = ""
    for line in lines:
        if heading := SECTION.fullmatch(line):
            section = heading["name"]
            texts.setdefault(section, {})
        elif setting := TEXT.fullmatch(line):
            texts.setdefault(section, {})[setting["key"]] = setting["value"]
    return texts
