"""PyTorch models -> ONNX: exported programs, TorchScript, whole modules and state dicts with the class they belong to.

Such a model takes one matrix of all features. Whole modules and weights go through PyTorch's own restricted unpickler.
"""

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_code.engines.onnx_engine import TensorEngine
from model_code.engines.scorer import ONNX_FILE
from model_code.importing.formats import STATE_DICT, TORCH_EXPORT, TORCH_SCRIPT, ImportRefused, in_a_line
from model_code.importing.request import Conversion
from model_code.importing.scan import names_in
from model_code.importing.signature import Tensor, signature, width
from model_code.rows.matrices import model_batch

_FEATURES, _ANSWER = "features", "answer"


def convert(conversion: Conversion) -> tuple[np.ndarray, dict[str, str]]:
    torch.set_num_threads(1)
    module = _opened(conversion)
    inputs, outputs = [Tensor(_FEATURES, "float32", None)], [Tensor(_ANSWER, "float32", None)]
    mapped = signature(conversion.contract, inputs, outputs, encoding=conversion.encoding)
    engine = TensorEngine(mapped, lambda tensors: _answers(module, conversion, tensors[_FEATURES]))
    scores, _ = engine.batch(model_batch(conversion.contract, conversion.rows))
    _export(module, conversion)
    return scores, {"torch": version("torch")}


def _answers(module: torch.nn.Module, conversion: Conversion, features: np.ndarray) -> np.ndarray:
    try:
        with torch.no_grad():
            answer = module(torch.from_numpy(features))
    except (RuntimeError, AssertionError) as error:
        wide = {encoding: width(conversion.contract, encoding) for encoding in ("ordinal", "one-hot")}
        raise ImportRefused(
            f"the model does not accept {tuple(features.shape)} numbers, float32: {_last_line(error)}; the contract's "
            f"features are {wide['ordinal']} columns, with --encoding one-hot {wide['one-hot']}, of any number of rows"
        ) from error
    if not isinstance(answer, torch.Tensor):
        raise ImportRefused(f"the model's answer is of type {type(answer).__name__}: must be one tensor")
    scores: np.ndarray = answer.numpy()
    return scores


def _last_line(error: Exception) -> str:
    """Return the last line: TorchScript prints its own traceback first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _export(module: torch.nn.Module, conversion: Conversion) -> None:
    target, example = conversion.folder / ONNX_FILE, torch.zeros(2, width(conversion.contract, conversion.encoding))
    names = {"input_names": [_FEATURES], "output_names": [_ANSWER]}
    if isinstance(module, torch.jit.ScriptModule):
        axes = {_FEATURES: {0: "rows"}, _ANSWER: {0: "rows"}}
        torch.onnx.export(module, (example,), target, dynamo=False, dynamic_axes=axes, **names)
        return
    shapes = ({0: torch.export.Dim("rows")},)
    in_one_file = {"external_data": False, "verbose": False}
    torch.onnx.export(module, (example,), target, dynamo=True, dynamic_shapes=shapes, **in_one_file, **names)


# ---- opening


def _opened(conversion: Conversion) -> torch.nn.Module:
    if conversion.format == TORCH_EXPORT:
        return torch.export.load(conversion.file).module()
    if conversion.format == TORCH_SCRIPT:
        return torch.jit.load(conversion.file, map_location="cpu").eval()
    content = _unpickled(conversion.file)
    if conversion.format == STATE_DICT:
        return _with_weights(conversion.module or "", content)
    if not isinstance(content, torch.nn.Module):
        raise ImportRefused(
            f"{conversion.file.name} holds a {type(content).__name__}; if these are "
            "weights, name the class they "
            "belong to with --module FILE.py:CLASS"
        )
    return content.eval()


def _unpickled(file: Path) -> Any:
    """Open with PyTorch's restricted unpickler, which makes only tensors and the layers that the scan knows."""
    layers = [_layer(*name) for name in names_in(file, zipped=True) if name[0].startswith("torch.nn.modules.")]
    with torch.serialization.safe_globals(layers):
        return torch.load(file, map_location="cpu", weights_only=True)


def _layer(module: str, name: str) -> type:
    layer = getattr(importlib.import_module(module), name)
    if not (isinstance(layer, type) and issubclass(layer, torch.nn.Module)):
        raise ImportRefused(f"{module}.{name}: must be a layer of PyTorch; save the model without it")
    return layer


def _with_weights(place: str, weights: Any) -> torch.nn.Module:
    """Make the class of --module, without arguments, and give it these weights."""
    module_class = _class_of(place)
    try:
        module = module_class()
    except Exception as error:  # it is the user's own code
        raise ImportRefused(f"--module {place}: {module_class.__name__}() fails: {in_a_line(error)}") from error
    try:
        module.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        raise ImportRefused(f"--module {place} does not accept these weights: {in_a_line(error)}") from error
    return module.eval()


def _class_of(place: str) -> type[torch.nn.Module]:
    """Import the class that FILE.py:CLASS names."""
    file, _, name = place.rpartition(":")
    if not file:
        raise ImportRefused(f"--module {place}: must name a class; write FILE.py:CLASS")
    spec = importlib.util.spec_from_file_location("imported_module", file)
    if not Path(file).is_file() or spec is None or spec.loader is None:
        raise ImportRefused(f"--module {place}: {file} must be a Python file that is there; write FILE.py:CLASS")
    code = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(code)
    except Exception as error:  # it is the user's own code
        raise ImportRefused(f"--module {place}: {file} cannot be imported: {in_a_line(error)}") from error
    named = getattr(code, name, None)
    if not (isinstance(named, type) and issubclass(named, torch.nn.Module)):
        raise ImportRefused(f"--module {place}: {file} must define a torch.nn.Module {name}")
    return named
