"""The folder `.fairway` of a project: what its commands keep there, and no repository takes in."""

from pathlib import Path


def keep_out_of_git(project: Path) -> Path:
    """Make the folder where it is missing, kept out of git: what it holds, rows and all, is no part of anybody's
    repository.
    """
    folder = project / ".fairway"
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder
