"""The project's own CI: workflows of GitHub Actions that check, price and deploy it, and the role that they assume."""

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
    """Where a workflow gets Fairway: OWNER/NAME on GitHub and a commit of it, or expressions for both."""

    repository: str
    commit: str


BY_VARIABLES = Source("${{ vars.FAIRWAY_REPOSITORY }}", "${{ vars.FAIRWAY_COMMIT }}")


def source_here(root: Path = ROOT) -> Source:
    """The repository and commit of the Fairway that runs, where it is a clone of one on GitHub; else variables that the
    project's repository must have.
    """
    found = GITHUB.search(_git(root, "remote", "get-url", "origin"))
    commit = _git(root, "rev-parse", "HEAD")
    return Source(found["repository"], commit) if found and commit else BY_VARIABLES


def _git(root: Path, *words: str) -> str:
    """Empty where git is missing or has no answer."""
    try:
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def workflows(name: str, stages: list[str], source: Source) -> dict[str, str]:
    """{path below the project: text} of the files for GitHub."""
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
