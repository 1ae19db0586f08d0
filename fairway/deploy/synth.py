"""Templates of the app, as `cdk synth` would write them, but seconds faster and without an account."""

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
    """Make a temporary folder with the stage's templates. Failed, with the app's last output, if it cannot be built.

    Without `deployable` the templates are only read: the CDK's own rules are not checked, and the functions' code has
    no kernel, which takes a minute to compile the first time. `image_tag` is the tag of an image that is not built from
    this machine's default base.
    """
    temporary = scratch_until_exit("templates")
    out = temporary / "templates"
    out.mkdir()
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),  # also removes what the app leaves there when it is killed
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
    """Return the variables with which the CDK's command line would pass settings and output folder to the app."""
    context = {
        **_cdk_context(root),
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
    """Synthesise templates and settings at a git reference of the project, checked out temporarily.

    In the app's own repository the app of that reference is used, otherwise this one.
    """
    repository = _repository_of(folder)
    inside = folder.resolve().relative_to(repository)
    with scratch("at") as parent:
        checkout = parent / "project"
        _git(repository, "worktree", "add", "--detach", str(checkout), reference)
        try:
            if not (checkout / inside / "fairway.toml").is_file():
                where = f"{inside / 'fairway.toml'} does not exist at {reference}"
                raise Refused("compare", f"--compare {reference}: {where}; give a later commit or a projection's file")
            root = checkout if repository == ROOT else ROOT
            return synthesise(checkout / inside, stage, root=root), read_config(checkout / inside, stage)
        finally:
            _git(repository, "worktree", "remove", "--force", str(checkout))


def _repository_of(folder: Path) -> Path:
    """Return the root of the repository that contains the project. Refused if there is none."""
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
    """Run git in the folder, without the repository's hooks, which are unwanted for a comparison."""
    words = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def _cdk_context(root: Path) -> dict:
    """Return the feature flags of cdk.json, which the CDK's command line would pass on."""
    return json.loads((root / "cdk.json").read_text(encoding="utf-8")).get("context", {})
