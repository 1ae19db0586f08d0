"""Files behind S3 objects and functions' code: they are on disk before the answer, and errors reach the caller."""

import os
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from ministack.services import lambda_svc, s3

S3, LAMBDA = "ministack.services.s3", "ministack.services.lambda_svc"
PERSISTING = (
    "_persist_object",
    "_persist_delete_marker",
    "_persist_version_state",
    "_persist_displaced_version",
    "_delete_persisted_object",
)
HOOKS = (
    f"{S3}:DATA_DIR",
    f"{S3}:_atomic_write",
    f"{S3}:_remove_key_files",
    *(f"{S3}:{name}" for name in PERSISTING),
    f"{LAMBDA}:CODE_BLOB_DIR",
    f"{LAMBDA}:_write_code_blob",
)


@dataclass
class Files:
    """What one request did to files: those that are not on disk yet, and why one could not be written."""

    changed: set[Path] = field(default_factory=set)
    failure: OSError | None = None


_of_this_request: ContextVar[Files | None] = ContextVar("files_of_this_request", default=None)


def register() -> None:
    remove, write_code = s3._remove_key_files, lambda_svc._write_code_blob
    s3._atomic_write = _write

    def remove_and_note(path) -> None:
        remove(path)
        if path:
            _note(Path(path).parent)

    def write_code_and_sync(code: bytes) -> str:
        before = _entries(lambda_svc.CODE_BLOB_DIR)
        checksum = write_code(code)
        if f"{checksum}.zip" not in before:
            sync({Path(lambda_svc.CODE_BLOB_DIR, f"{checksum}.zip")}, Path(lambda_svc.CODE_BLOB_DIR).parent)
        return checksum

    s3._remove_key_files, lambda_svc._write_code_blob = remove_and_note, write_code_and_sync
    for name in PERSISTING:
        setattr(s3, name, _or_raise(getattr(s3, name)))


def _entries(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def note_request() -> Files:
    """Record what this request does to files, for `sync`."""
    noted = Files()
    _of_this_request.set(noted)
    return noted


def sync(changed: set[Path], root: Path) -> None:
    """Return when these files, and the folders from them up to `root`, are on disk."""
    folders = {folder for path in changed for folder in path.parents if root == folder or root in folder.parents}
    for path in (*changed, *sorted(folders, reverse=True)):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # removed since
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: str, content: bytes | str, *, text: bool = False) -> None:
    """Write a file atomically, like MiniStack, but sync it before it replaces another: otherwise both could be lost."""
    partial = path + ".tmp"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w" if text else "wb") as file:
            file.write(content)
            file.flush()
            if _of_this_request.get() is None or os.path.exists(path):
                os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        Path(partial).unlink(missing_ok=True)
        _fail(error)
        raise
    _note(Path(path))


def _note(path: Path) -> None:
    files = _of_this_request.get()
    if files is not None:
        files.changed.add(path)


_failed: ContextVar[list | None] = ContextVar("failed", default=None)


def _fail(error: OSError) -> None:
    errors = _failed.get()
    if errors is not None:
        errors.append(error)
    files = _of_this_request.get()
    if files is not None:
        files.failure = error


def _or_raise(persist):
    """Raise write errors, which MiniStack only logs."""

    def persist_or_raise(*arguments):
        failed: list[OSError] = []
        token = _failed.set(failed)
        try:
            done = persist(*arguments)
        finally:
            _failed.reset(token)
        if failed:
            raise failed[0]
        return done

    return persist_or_raise
