"""Conversions in forks of one process that has scikit-learn and ONNX imported: what a conversion answers is the same as
in the closed-off process, which imports them for two CPU seconds each time. That one has tests of its own.
"""

import contextlib
import multiprocessing
import os
from pathlib import Path

from model_code.importing import convert

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["model_code.importing.from_sklearn", "model_code.importing.from_onnx"])


def run(module: str, request: Path, folder: Path) -> bool:
    """In place of `sandbox.run`; False, since this process has a network."""
    assert module == convert.__name__
    process = FORKS.Process(target=_convert, args=(request, folder))
    process.start()
    process.join()
    assert process.exitcode == 0, (folder / "log.txt").read_text()
    return False


def _convert(request: Path, folder: Path) -> None:
    os.chdir(folder)
    with (folder / "log.txt").open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        convert.main(request)
