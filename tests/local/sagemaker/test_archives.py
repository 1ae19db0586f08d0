"""What a model.tar.gz may bring into a container's folder: files, folders and links that stay inside."""

import io
import tarfile

import pytest

from local.sagemaker.s3_io import unpack

CONTENT = b"weights"


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "", mode: int = 0o640) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, linkname, mode
    found.size = len(CONTENT) if kind == tarfile.REGTYPE else 0
    return found


def unpacked(tmp_path, *members: tarfile.TarInfo):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for each in members:
            tar.addfile(each, io.BytesIO(CONTENT) if each.isreg() else None)
    packed.seek(0)
    into = tmp_path / "model"
    into.mkdir()
    with tarfile.open(fileobj=packed) as tar:
        unpack(tar, into)
    return into


def test_files_folders_and_links_inside_are_unpacked_readable_for_all(tmp_path):
    into = unpacked(
        tmp_path,
        member("./parts", tarfile.DIRTYPE, mode=0o700),
        member("parts/model.bin"),
        member("run", mode=0o750),
        member("latest", tarfile.SYMTYPE, "parts/model.bin"),
        member("again", tarfile.LNKTYPE, "parts/model.bin"),
    )
    assert [(into / name).read_bytes() for name in ("parts/model.bin", "latest", "again")] == [CONTENT] * 3
    modes = {name: (into / name).stat().st_mode & 0o777 for name in ("parts", "run")}
    assert modes == {"parts": 0o755, "run": 0o755}


@pytest.mark.parametrize(
    "members",
    [
        [member("../outside")],
        [member("/outside")],
        [member("a/../../outside")],
        [member("link", tarfile.SYMTYPE, "../..")],
        [member("link", tarfile.SYMTYPE, "/etc")],
        [member("hard", tarfile.LNKTYPE, "../outside")],
        [member("here", tarfile.SYMTYPE, "."), member("here/up", tarfile.SYMTYPE, "..")],
        [member("parts", tarfile.DIRTYPE), member("link", tarfile.SYMTYPE, "parts"), member("link/file")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("device", tarfile.CHRTYPE)],
    ],
    ids=lambda members: " ".join(f"{each.name}>{each.linkname}" for each in members),
)
def test_what_is_anything_else_or_leads_outside_is_refused(tmp_path, members):
    (tmp_path / "outside").write_text("kept")
    with pytest.raises(tarfile.TarError, match="is not a file or folder, or leads out of the archive"):
        unpacked(tmp_path, *members)
    assert (tmp_path / "outside").read_text() == "kept"
