"""The app's templates, as `cdk synth` would write them, without the CDK's command line: seconds less, and no
account.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from domain.config.sections import Config, read_config
from fairway.deploy.programs import LAST_LINES
from fairway.scratch import die_with_parent, scratch, scratch_until_exit
from fairway.terminal.errors import Failed, Refused

ROOT = Path(__file__).resolve().parents[2]


def synthesise(
    folder: Path, stage: str, *, root: Path = ROOT, deployable: bool = False, image_tag: str | None = None
) -> Path:
    """A temporary folder with the stage's templates. Failed, with what the app said last, where it cannot be built.

    Without `deployable` they are only read: not held to the CDK's own rules, and the functions' code is without the
    kernel, which takes a minute to compile the first time. `image_tag` is the tag of an image that is not built from
    this machine's default base.
    """
    temporary = scratch_until_exit("templates")
    out = temporary / "templates"
    out.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),  # what the app leaves there when it is killed goes too
        **app_inputs(folder, stage, out, root=root, validated=deployable, with_kernel=deployable, image_tag=image_tag),
    }
    ran = subprocess.run(
        [sys.executable, "app.py"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        preexec_fn=die_with_parent,
    )
    if ran.returncode:
        last = (ran.stderr.strip() or ran.stdout.strip() or "the app printed nothing").splitlines()[-LAST_LINES:]
        raise Failed("synth", "\n".join([f"stage {stage!r} cannot be synthesised:", *last]))
    return out


def app_inputs(
    folder: Path,
    stage: str,
    out: Path,
    *,
    root: Path = ROOT,
    validated: bool = False,
    with_kernel: bool = True,
    image_tag: str | None = None,
) -> dict[str, str]:
    """The variables in which the CDK's command line would give the app its settings and the folder to write in."""
    context = {
        **cdk_context(root),
        "stage": stage,
        "project": str(folder.absolute()),
        "aws:cdk:enable-path-metadata": True,
        "kernel": with_kernel,
        **({"image_tag": image_tag} if image_tag else {}),
    }
    return {
        "CDK_OUTDIR": str(out),
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_VALIDATION": "true" if validated else "false",
    }


def synthesise_at(reference: str, folder: Path, stage: str) -> tuple[Path, Config]:
    """Templates and settings as they were at a reference of the project's repository, checked out beside it for the
    moment. In the app's own repository the app is that of then, anywhere else it is this one.
    """
    repository = _repository_of(folder)
    inside = folder.resolve().relative_to(repository)
    with scratch("at") as parent:
        checkout = parent / "project"
        _git(repository, "worktree", "add", "--detach", str(checkout), reference)
        try:
            if not (checkout / inside / "fairway.toml").is_file():
                where = f"{inside / 'fairway.toml'} is not there at {reference}"
                raise Refused("compare", f"--compare {reference}: {where}; give a later commit or a projection's file")
            root = checkout if repository == ROOT else ROOT
            return synthesise(checkout / inside, stage, root=root), read_config(checkout / inside, stage)
        finally:
            _git(repository, "worktree", "remove", "--force", str(checkout))


def _repository_of(folder: Path) -> Path:
    """The root of the repository that holds the project. Refused where there is none."""
    try:
        found = _asked_git(folder, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        raise Refused("compare", "git is not installed; compare with a file that `--json` wrote") from None
    if found.returncode:
        raise Refused("compare", f"{folder} is in no git repository; compare with a file that `--json` wrote")
    return Path(found.stdout.rstrip("\n")).resolve()


def _git(repository: Path, *arguments: str) -> None:
    ran = _asked_git(repository, *arguments)
    if ran.returncode:
        raise Refused(
            "compare",
            f"git {' '.join(arguments)}: {ran.stderr.strip()}; give a branch, a commit or a projection's file",
        )


def _asked_git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run git in the folder, without the repository's hooks: nobody wants those for a comparison."""
    words = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def cdk_context(root: Path) -> dict:
    """The feature flags of cdk.json, which the CDK's command line would pass on."""
    return json.loads((root / "cdk.json").read_text(encoding="utf-8")).get("context", {})
