"""Images as folders `<repository>/<tag>/`: model_code/ and domain/, or the programs `train`, `serve`, `process`."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from local.sagemaker.errors import invalid


@dataclass(frozen=True)
class Image:
    """The folder of one tag, and the Python for our own layout."""

    folder: Path
    python: str

    @property
    def is_ours(self) -> bool:
        return (self.folder / "model_code").is_dir()

    def command(
        self, verb: str, *, entrypoint: list[str] | None = None, arguments: list[str] | None = None
    ) -> list[str]:
        """Return what `docker run IMAGE verb` would run: the given entrypoint, else the image's own, with its
        arguments.
        """
        if entrypoint:
            program = self.folder / entrypoint[0]
            first = str(program) if program.is_file() else entrypoint[0]
            return [first, *entrypoint[1:], *(arguments or [])]
        if self.is_ours:
            return [self.python, "-m", "model_code", *(arguments or [verb])]
        return [str(self.folder / verb), *(arguments or [])]

    def environment(self) -> dict[str, str]:
        """Return where programs and modules are found; `python` of an entry point must be the image's, not the
        gateway's.
        """
        if not self.is_ours:
            return {}
        path = f"{Path(self.python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"PYTHONPATH": str(self.folder), "PATH": path}


def find_image(uri: str, *, images: Path, python: str) -> Image:
    """Return the folder of `<registry>/<repository>:<tag>`."""
    found = re.fullmatch(r"(?:[^/]+\.[^/]+/|[^/]+:\d+/)?(?P<repository>[^:@]+)(?::(?P<tag>[\w.-]+))?", uri)
    if not found:
        raise invalid(f"Image {uri!r} cannot be read. Give <registry>/<repository>:<tag>; digests are not simulated.")
    folder = images / found["repository"] / (found["tag"] or "latest")
    if not folder.is_dir():
        raise invalid(f"Requested image {uri} not found. Locally an image is the folder {folder}.")
    return Image(folder, python)
