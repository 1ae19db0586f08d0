"""Keras models, TensorFlow SavedModels and frozen graphs -> ONNX, by tf2onnx."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import is_zipfile

import numpy as np
import tensorflow as tf

from model_code.engines.onnx_engine import TensorEngine, Tensors
from model_code.engines.scorer import ONNX_FILE
from model_code.importing.formats import FROZEN_GRAPH, KERAS, ImportRefused
from model_code.importing.request import Conversion
from model_code.importing.signature import Tensor, signature
from model_code.rows.matrices import model_batch

_SERVING = "serving_default"
_DTYPES = {tf.string: "str"}
_VERSIONS = ("tensorflow", "keras", "tf2onnx")


class _Model(NamedTuple):
    """An open model: `run` maps the inputs to the outputs, `source` is what tf2onnx reads."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    run: Callable[[Tensors], dict[str, np.ndarray]]
    source: list[str]


def convert(conversion: Conversion) -> tuple[np.ndarray, dict[str, str]]:
    """Let the model's own framework answer, then write its graph as ONNX."""
    open_model = {KERAS: _open_keras, FROZEN_GRAPH: _open_graph}.get(conversion.format, _open_saved_model)
    model = open_model(conversion)
    mapped = signature(conversion.contract, model.inputs, model.outputs, encoding=conversion.encoding)
    engine = TensorEngine(mapped, lambda tensors: model.run(tensors)[mapped["output"]])
    scores, _ = engine.batch(model_batch(conversion.contract, conversion.rows))
    _to_onnx(model.source, conversion.folder / ONNX_FILE)
    return scores, {package: version(package) for package in _VERSIONS}


def _to_onnx(source: list[str], target: Path) -> None:
    """Convert in a process of its own, which is as closed off as this one."""
    words = [sys.executable, "-m", "tf2onnx.convert", *source, "--output", str(target)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode or not target.exists():
        last = (done.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise ImportRefused(f"tf2onnx cannot write the model as ONNX: {last}; export it to ONNX where it was made")


# ---- opening


def _open_keras(conversion: Conversion) -> _Model:
    """Open a model in safe mode: a Lambda layer is code, and refused."""
    name = conversion.file.name
    if not is_zipfile(conversion.file):
        raise ImportRefused(
            f"{name} is not a file of Keras 3: must be a zip archive; if it was cut off, copy it again, and if Keras 2 "
            "wrote it, save it with Keras 3"
        )
    try:
        model = tf.keras.models.load_model(conversion.file, compile=False, safe_mode=True)
    except (ValueError, TypeError) as error:
        raise ImportRefused(
            f"Keras does not open {name}: {_reason(error)}; use Keras's own layers, or export to ONNX"
        ) from error
    folder = conversion.folder / "saved_model"
    model.export(folder, format="tf_saved_model", verbose=False)
    saved = _saved_model(folder)

    def run(tensors: Tensors) -> dict[str, np.ndarray]:
        answer = model(tensors if len(tensors) > 1 else next(iter(tensors.values())), training=False)
        return {one.name: tensor.numpy() for one, tensor in zip(saved.outputs, _listed(answer), strict=True)}

    return saved._replace(run=run)


def _listed(answer: Any) -> list[Any]:
    """Return the tensors of a Keras model's answer, which is one tensor or several in a dictionary, list or tuple."""
    if isinstance(answer, dict):
        return list(answer.values())
    return list(answer) if isinstance(answer, (list, tuple)) else [answer]


def _reason(error: Exception) -> str:
    """Return the first sentence of the fault that Keras reports, which may be the last part of its message."""
    fault = str(error).strip().rpartition("Exception encountered: ")[2]
    return fault.splitlines()[0].partition(". ")[0]


def _open_saved_model(conversion: Conversion) -> _Model:
    return _saved_model(conversion.file)


def _saved_model(folder: Path) -> _Model:
    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, RuntimeError) as error:
        fault = str(error).strip().splitlines()[0].replace(f"{folder}/", "")
        raise ImportRefused(f"TensorFlow does not open the SavedModel: {fault}") from error
    if _SERVING not in model.signatures:
        listed = ", ".join(model.signatures) or "none"
        raise ImportRefused(
            f"the SavedModel has the signatures {listed}: must have {_SERVING}, the one that answers requests"
        )
    answer = model.signatures[_SERVING]
    _, inputs = answer.structured_input_signature

    def run(tensors: Tensors, model: Any = model) -> dict[str, np.ndarray]:  # variables live as long as their model
        outputs = answer(**{name: tf.constant(value, inputs[name].dtype) for name, value in tensors.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    source = ["--saved-model", str(folder), "--signature_def", _SERVING, "--tag", "serve"]
    return _Model(_described(inputs), _described(answer.structured_outputs), run, source)


def _open_graph(conversion: Conversion) -> _Model:
    """Open a frozen GraphDef: its inputs are placeholders, its outputs feed no other operation."""
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(conversion.file.read_bytes())
    except Exception as error:  # protobuf's DecodeError is of another class in each of its implementations
        raise ImportRefused(f"{conversion.file.name} is not a TensorFlow graph: {error}") from error
    taken = {name.partition(":")[0].lstrip("^") for node in definition.node for name in node.input}
    inputs = [node.name for node in definition.node if node.op == "Placeholder"]
    outputs = [
        node.name
        for node in definition.node
        if node.name not in taken and node.op not in ("Placeholder", "NoOp", "Const")
    ]
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(definition, name="")
    tensors = {name: graph.get_tensor_by_name(f"{name}:0") for name in (*inputs, *outputs)}

    def run(values: Tensors) -> dict[str, np.ndarray]:
        with tf.compat.v1.Session(graph=graph) as session:
            fed = {tensors[name]: value for name, value in values.items()}
            return dict(zip(outputs, session.run([tensors[name] for name in outputs], fed), strict=True))

    ends = [",".join(f"{name}:0" for name in names) for names in (inputs, outputs)]
    source = ["--graphdef", str(conversion.file), "--inputs", ends[0], "--outputs", ends[1]]
    fed, answered = ({name: tensors[name] for name in names} for names in (inputs, outputs))
    return _Model(_described(fed), _described(answered), run, source)


def _described(tensors: dict[str, Any]) -> list[Tensor]:
    return [Tensor(name, _DTYPES.get(one.dtype, one.dtype.name), _shape_of(one)) for name, one in tensors.items()]


def _shape_of(tensor: Any) -> tuple[int | None, ...] | None:
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
