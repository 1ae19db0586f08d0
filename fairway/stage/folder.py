"""The folder `.fairway` of a project, which its commands use and git ignores."""

from pathlib import Path


def keep_out_of_git(project: Path) -> Path:
    """Create the folder if it is missing, ignored by git: its content, rows included, must not be committed."""
    folder = project / ".fairway"
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    return folder
