"""Small ONNX models, written node by node."""

from pathlib import Path

import numpy as np


def logistic(file: Path, weights: list[float], bias: float, *, name="features", rows="rows", last="Sigmoid") -> Path:
    """One matrix of as many columns as there are weights -> (rows, 1), the probability."""
    from onnx import TensorProto, helper, numpy_helper

    column = np.array(weights, np.float32).reshape(-1, 1)
    given = helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, len(weights)])
    answer = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [rows, 1])
    known = [numpy_helper.from_array(column, "weights"), numpy_helper.from_array(np.float32([bias]), "bias")]
    nodes = [
        helper.make_node("MatMul", [name, "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["score"]),
        helper.make_node(last, ["score"], ["probability"]),
    ]
    return written(file, helper.make_graph(nodes, "logistic", [given], [answer], known))


def sums(file: Path, columns: dict[str, str], texts: dict[str, str]) -> Path:
    """An input for each column: the sigmoid of the sum of numbers, and of 1 where a text is the one given."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {
        "float": TensorProto.FLOAT,
        "str": TensorProto.STRING,
        "int64": TensorProto.INT64,
        "bool": TensorProto.BOOL,
    }
    inputs = [helper.make_tensor_value_info(name, kinds[kind], ["rows", 1]) for name, kind in columns.items()]
    nodes, known = [], []
    for name, text in texts.items():
        known.append(numpy_helper.from_array(np.array([text], dtype=object), f"{name}.text"))
        nodes += [
            helper.make_node("Equal", [name, f"{name}.text"], [f"{name}.same"]),
            helper.make_node("Cast", [f"{name}.same"], [f"{name}.number"], to=TensorProto.FLOAT),
        ]
    for name in columns.keys() - texts.keys():
        nodes.append(helper.make_node("Cast", [name], [f"{name}.number"], to=TensorProto.FLOAT))
    nodes += [
        helper.make_node("Sum", [f"{name}.number" for name in columns], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    ]
    answer = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])
    return written(file, helper.make_graph(nodes, "sums", inputs, [answer], known))


def written(file: Path, graph) -> Path:
    from onnx import checker, helper, save

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    checker.check_model(model)
    save(model, file)
    return file
