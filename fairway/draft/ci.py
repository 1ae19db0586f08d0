"""The project's CI: GitHub Actions workflows that check, price and deploy it, and their role."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = Path(__file__).parent / "workflows"
ROLE = ROOT / ".github" / "deploy-role.yaml"
GITHUB = re.compile(r"github\.com[:/](?P<repository>[\w.-]+/[\w.-]+?)(\.git)?/?$")


@dataclass(frozen=True)
class Source:
    """Source of Fairway for a workflow: OWNER/NAME on GitHub and a commit, or expressions for both."""

    repository: str
    commit: str


BY_VARIABLES = Source("${{ vars.FAIRWAY_REPOSITORY }}", "${{ vars.FAIRWAY_COMMIT }}")


def source_here(root: Path = ROOT) -> Source:
    """Return the repository and commit of the running Fairway, if it is a clone from GitHub; otherwise variables that
    the project's repository must define.
    """
    found = GITHUB.search(_git(root, "remote", "get-url", "origin"))
    commit = _git(root, "rev-parse", "HEAD")
    return Source(found["repository"], commit) if found and commit else BY_VARIABLES


def _git(root: Path, *words: str) -> str:
    """Return git's output; empty without git or an answer."""
    try:
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def workflows(name: str, stages: list[str], source: Source) -> dict[str, str]:
    """Return {path below the project: text} of the files for GitHub."""
    given = {
        "<repository>": source.repository,
        "<commit>": source.commit,
        "<last stage>": stages[-1],
        "[<stages>]": f"[{', '.join(stages)}]",
        "<stages>": " ".join(stages),
        "Project=flights": f"Project={name}",
    }
    files = {f"workflows/{file.name}": file for file in sorted(WORKFLOWS.glob("*.yml"))} | {ROLE.name: ROLE}
    return {f".github/{path}": _filled(file.read_text(encoding="utf-8"), given) for path, file in files.items()}


def _filled(text: str, given: dict[str, str]) -> str:
    for mark, value in given.items():
        text = text.replace(mark, value)
    return text
