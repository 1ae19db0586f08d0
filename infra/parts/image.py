"""The container image's tag: a hash of its sources, so that the same code always runs in the same image."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("model_code", "domain")
# runs only on the machine of `fairway import`; also in Dockerfile.dockerignore
NOT_IN_IMAGE = ("model_code/importing",)
NOT_SOURCE = (".pyc", ".so", ".o")  # made from sources, and not the same on every machine
# By tag, for which fairway/deploy/image.py takes the digest that it has when something is built.
BASE_IMAGE = "docker.io/library/python:3.13-slim"


def image_tag(root: Path = ROOT, *, base: str = BASE_IMAGE) -> str:
    """Return 12 hex digits that identify the image's sources, its packages and its base."""
    digest = hashlib.sha256(f"{base}\0".encode())
    lock = root / "uv.lock"
    sources = [file for file in source_files(root, SOURCES) if not _is_left_out(file.relative_to(root))]
    for file in [*sources, *([lock] if lock.exists() else [])]:
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _is_left_out(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in NOT_IN_IMAGE)


def source_files(root: Path, folders: tuple[str, ...]) -> list[Path]:
    """Return the source files of these folders, in the same order everywhere."""
    files = (file for folder in folders for file in (root / folder).rglob("*") if file.is_file())
    return sorted(file for file in files if _is_source(file.relative_to(root)))


def _is_source(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix not in NOT_SOURCE
