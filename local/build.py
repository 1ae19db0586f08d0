"""The container image on this machine: a folder with copies of model_code/ and domain/, named by its tag."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from infra.parts.image import NOT_IN_IMAGE, SOURCES

NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", *(Path(folder).name for folder in NOT_IN_IMAGE))


def build(root: Path, images: Path, repository: str, tag: str) -> Path:
    """Return the image's folder, `images/<repository>/<tag>/`. A tag that exists is never changed, as in ECR."""
    image = images / repository / tag
    if image.exists():
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=image.parent, prefix=".building-"))
    partial.chmod(0o755)
    try:
        for source in SOURCES:
            shutil.copytree(root / source, partial / source, ignore=NOT_SHIPPED)
        os.rename(partial, image)
    except BaseException:
        shutil.rmtree(partial)
        raise
    return image


def tree_hash(paths: list[Path], *, relative_to: Path) -> str:
    """Return one hash over the names and bytes of files, and of all files below folders."""
    total = hashlib.sha256()
    for file in sorted(file for path in paths for file in files_of(path)):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{os.path.relpath(file, relative_to)} {content}\n".encode())
    return total.hexdigest()


def files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [
        Path(folder, name)
        for folder, folders, names in os.walk(path)
        for name in names
        if not name.endswith(".pyc")
        and not name.startswith(".")
        and "__pycache__" not in Path(folder).parts
        and not any(part.startswith(".") for part in Path(folder).relative_to(path).parts)
    ]
