"""PyTorch models -> ONNX: exported programs, TorchScript, whole modules and state dicts with the class they belong to.

Such a model takes one matrix of all features. Whole modules and weights go through PyTorch's own restricted unpickler.
"""

import importlib.util
from importlib.metadata import version
from pathlib import Path

import torch

from model_code.engines.onnx_engine import TensorEngine
from model_code.engines.scorer import ONNX_FILE
from model_code.importing.formats import STATE_DICT, TORCH_EXPORT, TORCH_SCRIPT, ImportRefused, in_a_line
from model_code.importing.request import Conversion
from model_code.importing.scan import names_in
from model_code.importing.signature import Tensor, signature, width
from model_code.rows.matrices import model_batch

FEATURES, ANSWER = "features", "answer"


def convert(conversion: Conversion):
    torch.set_num_threads(1)
    module = opened(conversion)
    inputs, outputs = [Tensor(FEATURES, "float32", None)], [Tensor(ANSWER, "float32", None)]
    mapped = signature(conversion.contract, inputs, outputs, encoding=conversion.encoding)
    engine = TensorEngine(mapped, lambda given: answers(module, conversion, given[FEATURES]))
    scores, _ = engine.batch(model_batch(conversion.contract, conversion.rows))
    export(module, conversion)
    return scores, {"torch": version("torch")}


def answers(module, conversion: Conversion, features):
    try:
        with torch.no_grad():
            found = module(torch.from_numpy(features))
    except (RuntimeError, AssertionError) as error:
        wide = {encoding: width(conversion.contract, encoding) for encoding in ("ordinal", "one-hot")}
        raise ImportRefused(
            f"the model does not take {tuple(features.shape)} numbers, float32: {last_line(error)}; "
            f"the contract's features are {wide['ordinal']} columns, with --encoding one-hot {wide['one-hot']}, of any "
            "number of rows"
        ) from error
    if not isinstance(found, torch.Tensor):
        raise ImportRefused(f"the model's answer is of type {type(found).__name__}; it must be one tensor")
    return found.numpy()


def last_line(error: Exception) -> str:
    """TorchScript tells its own trace first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def export(module, conversion: Conversion) -> None:
    target, example = conversion.folder / ONNX_FILE, torch.zeros(2, width(conversion.contract, conversion.encoding))
    names = {"input_names": [FEATURES], "output_names": [ANSWER]}
    if isinstance(module, torch.jit.ScriptModule):
        free = {"dynamic_axes": {FEATURES: {0: "rows"}, ANSWER: {0: "rows"}}}
        torch.onnx.export(module, (example,), target, dynamo=False, **names, **free)
        return
    free = {"dynamic_shapes": ({0: torch.export.Dim("rows")},), "external_data": False, "verbose": False}
    torch.onnx.export(module, (example,), target, dynamo=True, **names, **free)


# ---- opening


def opened(conversion: Conversion) -> torch.nn.Module:
    if conversion.format == TORCH_EXPORT:
        return torch.export.load(conversion.file).module()
    if conversion.format == TORCH_SCRIPT:
        return torch.jit.load(conversion.file, map_location="cpu").eval()
    found = unpickled(conversion.file)
    if conversion.format == STATE_DICT:
        return with_weights(conversion, found)
    if not isinstance(found, torch.nn.Module):
        raise ImportRefused(
            f"{conversion.file.name} holds no module but {type(found).__name__}; if these are "
            "weights, name the class they "
            "belong to with --module FILE.py:CLASS"
        )
    return found.eval()


def unpickled(file: Path):
    """By PyTorch's restricted unpickler, which makes tensors and the layers that the scan knows, nothing else."""
    layers = [layer(*name) for name in names_in(file, zipped=True) if name[0].startswith("torch.nn.modules.")]
    with torch.serialization.safe_globals(layers):
        return torch.load(file, map_location="cpu", weights_only=True)


def layer(module: str, name: str) -> type:
    found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise ImportRefused(f"{module}.{name} is no layer of PyTorch")
    return found


def with_weights(conversion: Conversion, weights) -> torch.nn.Module:
    """The class of --module, made without arguments, with these weights."""
    found = class_of(conversion.module)
    try:
        made = found()
    except Exception as error:  # it is the user's own code
        raise ImportRefused(f"--module {conversion.module}: {found.__name__}() fails: {in_a_line(error)}") from error
    try:
        made.load_state_dict(weights)
    except (TypeError, RuntimeError) as error:
        raise ImportRefused(f"--module {conversion.module} does not take these weights: {in_a_line(error)}") from error
    return made.eval()


def class_of(place: str) -> type[torch.nn.Module]:
    """The class that FILE.py:CLASS names."""
    file, _, name = place.rpartition(":")
    if not file:
        raise ImportRefused(f"--module {place} names no class; write FILE.py:CLASS")
    spec = importlib.util.spec_from_file_location("imported_module", file)
    if not Path(file).is_file() or spec is None:
        raise ImportRefused(f"--module {place}: {file} is not there or no Python file; write FILE.py:CLASS")
    code = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(code)
    except Exception as error:  # it is the user's own code
        raise ImportRefused(f"--module {place}: {file} cannot be imported: {in_a_line(error)}") from error
    found = getattr(code, name, None)
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise ImportRefused(f"--module {place}: {file} defines no torch.nn.Module {name}")
    return found
