"""model.tar.gz: an artefact's files in one archive, the same bytes for the same files."""

import gzip
import io
import shutil
import tarfile
from pathlib import Path

from model_code.artefact.folder import ArtefactRefused

_LARGEST_BYTES = 4 << 30  # of one file in an archive


def pack(folder: Path, file: Path) -> None:
    """Write one flat tar.gz of the folder's files, the same bytes for the same files."""
    with (
        file.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for part in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(part.name)
            entry.size, entry.mode = part.stat().st_size, 0o644
            tar.addfile(entry, io.BytesIO(part.read_bytes()))


def unpack(file: Path, folder: Path, *, most_bytes: int | None = None) -> Path:
    """Write the archive's files into the folder and return it; `most_bytes` limits all of them together.

    Raises ArtefactRefused unless they are plain files at the archive's top: nothing may be written elsewhere.
    """
    written = 0
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(file, "r:gz") as tar:
            for entry in tar:
                if entry.isdir() and entry.name.strip("./") == "":
                    continue
                _refuse_entry(file, entry)
                written += entry.size
                if most_bytes is not None and written > most_bytes:
                    raise ArtefactRefused(f"{file} holds more than {most_bytes:,} bytes, the most that is taken here")
                _extract(tar, entry, folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArtefactRefused(f"{file} is not a model.tar.gz: {error}") from error
    return folder


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    # By hand, since Debian's Python 3.11 has no filters that make extraction safe; these are plain files.
    content = tar.extractfile(entry)
    assert content is not None, "plain files have content"
    with content, (folder / entry.name.removeprefix("./")).open("wb") as out:
        shutil.copyfileobj(content, out)


def _refuse_entry(file: Path, entry: tarfile.TarInfo) -> None:
    name = entry.name.removeprefix("./")
    if not entry.isfile() or "/" in name or "\\" in name or name in ("", ".", ".."):
        raise ArtefactRefused(f"{file} holds {entry.name!r}: must be a plain file at the top of the archive")
    if entry.size > _LARGEST_BYTES:
        size = f"{entry.size:,} bytes: must be at most {_LARGEST_BYTES:,}"
        raise ArtefactRefused(f"{file} holds {entry.name!r} of {size}")
