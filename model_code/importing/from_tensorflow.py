"""Keras models, TensorFlow SavedModels and frozen graphs -> ONNX, by tf2onnx."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from zipfile import is_zipfile

import tensorflow as tf

from model_code.engines.onnx_engine import TensorEngine
from model_code.engines.scorer import ONNX_FILE
from model_code.importing.formats import FROZEN_GRAPH, KERAS, ImportRefused
from model_code.importing.request import Conversion
from model_code.importing.signature import Tensor, signature
from model_code.rows.matrices import model_batch

SERVING = "serving_default"
DTYPES = {tf.string: "str"}
VERSIONS = ("tensorflow", "keras", "tf2onnx")


def convert(conversion: Conversion):
    """The model's own framework answers first, then its graph is written as ONNX."""
    open_model = {KERAS: open_keras, FROZEN_GRAPH: open_graph}.get(conversion.format, open_saved_model)
    inputs, outputs, run, source = open_model(conversion)
    mapped = signature(conversion.contract, inputs, outputs, encoding=conversion.encoding)
    engine = TensorEngine(mapped, lambda given: run(given)[mapped["output"]])
    scores, _ = engine.batch(model_batch(conversion.contract, conversion.rows))
    to_onnx(source, conversion.folder / ONNX_FILE)
    return scores, {package: version(package) for package in VERSIONS}


def to_onnx(source: list[str], target: Path) -> None:
    """In a process of its own, which is as closed off as this one."""
    words = [sys.executable, "-m", "tf2onnx.convert", *source, "--output", str(target)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode or not target.exists():
        last = (done.stderr.strip().splitlines() or ["it gives no reason"])[-1]
        raise ImportRefused(f"tf2onnx cannot write the model as ONNX: {last}; export it to ONNX where it was made")


# ---- opening: (inputs, outputs, {input: tensor} -> {output: array}, what tf2onnx shall read)


def open_keras(conversion: Conversion):
    """In safe mode: a Lambda layer is code, and refused."""
    name = conversion.file.name
    if not is_zipfile(conversion.file):
        raise ImportRefused(
            f"{name} is no file of Keras 3: it is no zip archive; if it was cut off on its way, "
            "bring it again, and if Keras 2 "
            "wrote it, save it with Keras 3"
        )
    try:
        model = tf.keras.models.load_model(conversion.file, compile=False, safe_mode=True)
    except (ValueError, TypeError) as error:
        raise ImportRefused(
            f"Keras does not open {name}: {reason(error)}; use Keras's own layers, or export to ONNX"
        ) from error
    folder = conversion.folder / "saved_model"
    model.export(folder, format="tf_saved_model", verbose=False)
    inputs, outputs, _, source = saved_model(folder)
    names = [one.name for one in outputs]

    def run(given):
        fed = given if len(given) > 1 else next(iter(given.values()))
        found = model(fed, training=False)
        found = (
            list(found.values()) if isinstance(found, dict) else found if isinstance(found, (list, tuple)) else [found]
        )
        return {name: tensor.numpy() for name, tensor in zip(names, found, strict=True)}

    return inputs, outputs, run, source


def reason(error: Exception) -> str:
    """The first sentence of what Keras found, which it may tell last."""
    told = str(error).strip().rpartition("Exception encountered: ")[2]
    return told.splitlines()[0].partition(". ")[0]


def open_saved_model(conversion: Conversion):
    return saved_model(conversion.file)


def saved_model(folder: Path):
    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, ValueError, RuntimeError) as error:
        told = str(error).strip().splitlines()[0].replace(f"{folder}/", "")
        raise ImportRefused(f"TensorFlow does not open the SavedModel: {told}") from error
    if SERVING not in model.signatures:
        listed = ", ".join(model.signatures) or "none"
        raise ImportRefused(
            f"the SavedModel has the signatures {listed}; {SERVING} is needed, the one that answers requests"
        )
    answer = model.signatures[SERVING]
    _, inputs = answer.structured_input_signature

    def run(given, model=model):  # its variables live only as long as the model does
        found = answer(**{name: tf.constant(value, inputs[name].dtype) for name, value in given.items()})
        return {name: tensor.numpy() for name, tensor in found.items()}

    source = ["--saved-model", str(folder), "--signature_def", SERVING, "--tag", "serve"]
    described = [described_tensor(name, one) for name, one in inputs.items()]
    return described, [described_tensor(name, one) for name, one in answer.structured_outputs.items()], run, source


def open_graph(conversion: Conversion):
    """A frozen GraphDef: its placeholders are the inputs, and what no other operation takes is the output."""
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(conversion.file.read_bytes())
    except Exception as error:  # protobuf's DecodeError is of another class in each of its implementations
        raise ImportRefused(f"{conversion.file.name} is no TensorFlow graph: {error}") from error
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

    def run(given):
        with tf.compat.v1.Session(graph=graph) as session:
            fed = {tensors[name]: value for name, value in given.items()}
            return dict(zip(outputs, session.run([tensors[name] for name in outputs], fed), strict=True))

    ends = [",".join(f"{name}:0" for name in names) for names in (inputs, outputs)]
    source = ["--graphdef", str(conversion.file), "--inputs", ends[0], "--outputs", ends[1]]
    described = [[described_tensor(name, tensors[name]) for name in names] for names in (inputs, outputs)]
    return *described, run, source


def described_tensor(name: str, tensor) -> Tensor:
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return Tensor(name, DTYPES.get(tensor.dtype, tensor.dtype.name), shape)
