"""ONNX files, which ONNX Runtime serves as they are."""

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from model_code.engines.onnx_engine import TensorEngine, open_session
from model_code.engines.scorer import ONNX_FILE
from model_code.importing.formats import ImportRefused
from model_code.importing.request import Conversion
from model_code.importing.signature import of_session, signature
from model_code.rows.matrices import model_batch


def convert(conversion: Conversion) -> tuple[np.ndarray, dict[str, str]]:
    session = _opened(conversion.file)
    mapped = signature(conversion.contract, *of_session(session), encoding=conversion.encoding)
    engine = TensorEngine(mapped, lambda tensors: session.run([mapped["output"]], tensors)[0])
    scores, _ = engine.batch(model_batch(conversion.contract, conversion.rows))
    shutil.copyfile(conversion.file, conversion.folder / ONNX_FILE)
    return scores, {"onnxruntime": version("onnxruntime")}


def _opened(file: Path) -> Any:
    try:
        return open_session(file)
    except Exception as error:  # ONNX Runtime has an exception class for each of its status codes
        if type(error).__module__.startswith("onnxruntime"):
            raise ImportRefused(f"ONNX Runtime does not open {file.name}: {error}") from error
        raise
