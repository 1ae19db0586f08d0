"""Saving and restoring MiniStack's services: all or an error, where the stock code logs and goes on."""

import json
from collections.abc import Callable
from pathlib import Path

from local import checkpoint
from local.state import LocalError

HOOKS = (
    "ministack.app:_build_persistence_save_dict",
    "ministack.app:_load_persisted_state",
    "ministack.app:save_all",
    "ministack.app:_state_map",
    "ministack.app:_get_module",
    "ministack.core.persistence:load_state",
    "ministack.core.persistence:_state_format_version",
    "ministack.core.persistence:_json_default",
    "ministack.core.persistence:STATE_DIR",
    "ministack.services.lambda_svc:CODE_BLOB_DIR",
    "ministack.services.lambda_svc:_prune_orphan_code_blobs",
    "ministack.services.lambda_svc:_read_code_blob",
)


def register() -> None:
    """Keep the code of functions that an older checkpoint names, and miss none when it is restored."""
    from ministack.services import lambda_svc

    read = lambda_svc._read_code_blob

    def read_or_refuse(checksum: str) -> bytes:
        code = read(checksum)
        if code is None:
            raise FileNotFoundError(f"the code of a function, {lambda_svc.CODE_BLOB_DIR}/{checksum}.zip")
        return code

    lambda_svc._read_code_blob = read_or_refuse
    lambda_svc._prune_orphan_code_blobs = lambda referenced: None  # pruned at the next start, by `restorer`


def saver(app, folder: Path) -> Callable[[], Path | None]:
    """A function that writes a generation of everything loaded, in MiniStack's own file format."""
    from ministack.core import persistence

    def encode(service: str, state: object) -> bytes:
        wrapped = {"__ministack_format__": persistence._state_format_version(service), "payload": state}
        return json.dumps(wrapped, default=persistence._json_default).encode()

    return lambda: checkpoint.write(folder, app._build_persistence_save_dict(), encode)


def restorer(app, generation: Path | None) -> Callable[[], None]:
    """A function that gives every service its saved state back; a service that cannot take it stops the start."""
    from ministack.core import persistence

    def restore() -> None:
        if generation is None:
            return
        persistence.STATE_DIR = str(generation)
        prune_code(generation.parent)
        for key, module in app._state_map.items():
            saved = persistence.load_state(key)
            if not saved:
                continue
            try:
                app._get_module(module).load_persisted_state(saved)
            except Exception as error:
                raise LocalError(
                    f"the saved state of {key} cannot be restored ({type(error).__name__}: {error}); "
                    "use another folder with --state"
                ) from error

    return restore


def prune_code(checkpoints: Path) -> None:
    """Remove the function code that no checkpoint names."""
    from ministack.services import lambda_svc

    named = "".join(path.read_text() for path in checkpoints.glob("*/lambda.json"))
    for code in Path(lambda_svc.CODE_BLOB_DIR).glob("*.zip"):
        if code.stem not in named:
            code.unlink()
