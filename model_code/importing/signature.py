"""Map the inputs and outputs of a tensor model to the contract, by a convention; a mismatch is refused by name."""

from typing import Any, NamedTuple

from domain.contract.schema import Contract
from model_code.engines.onnx_engine import Input, Signature
from model_code.importing.formats import ImportRefused
from model_code.rows.features import ModelColumn, kind_of, model_columns

_FLOATS = ("float32", "float64")
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
}
_TAKES = {"number": (*_FLOATS, "int64", "int32"), "boolean": (*_FLOATS, "bool", "int64", "int32"), "category": ("str",)}
ENCODINGS = ("ordinal", "one-hot")


class Tensor(NamedTuple):
    """One input or output. `shape` has None where any number of rows is taken; an unknown shape is None as a whole."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def of_session(session: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Return inputs and outputs of an ONNX Runtime session."""
    return list(map(_of_node, session.get_inputs())), list(map(_of_node, session.get_outputs()))


def _of_node(node: Any) -> Tensor:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return Tensor(node.name, _DTYPES.get(node.type, node.type), shape)


def signature(contract: Contract, inputs: list[Tensor], outputs: list[Tensor], *, encoding: str) -> Signature:
    """Map the tensors to the contract. Raises ImportRefused."""
    if not inputs or not outputs:
        raise ImportRefused(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs; it needs at least one of each"
        )
    named = len(inputs) > 1 or inputs[0].name in {column.name for column in contract.features}
    mapped = (
        [_named_input(contract, one) for one in inputs] if named else [_matrix_input(contract, inputs[0], encoding)]
    )
    return {
        "task": "regression" if contract.task == "regression" else "classification",
        "classes": classes_of(contract),
        "columns": model_columns(contract) if named else _with_levels(contract),
        "inputs": mapped,
        "output": _answer_of(contract, outputs),
    }


def classes_of(contract: Contract) -> list[Any]:
    """Return the classes in the order in which a model has to give their probabilities."""
    if contract.task == "regression":
        return []
    if contract.task == "binary":
        return [0, 1]
    if contract.target.categories:
        return list(contract.target.categories)
    assert isinstance(contract.prior, dict)  # of a multiclass task it is the share of each class
    return sorted(int(name) if contract.target.type == "integer" else name for name in contract.prior)


# ---- one matrix


def _matrix_input(contract: Contract, given: Tensor, encoding: str) -> Input:
    """Map all features, in the contract's order, to one matrix; a category is numbered by its levels."""
    if given.dtype not in _FLOATS:
        raise ImportRefused(
            f"input {given.name!r} is {given.dtype}: must be {' or '.join(_FLOATS)}, as a matrix of all features"
        )
    _refuse_fixed_rows(given)
    columns, needed = given.shape and given.shape[-1], width(contract, encoding)
    if (given.shape is not None and len(given.shape) != 2) or columns not in (None, needed):
        other = next(one for one in ENCODINGS if one != encoding)
        raise ImportRefused(
            f"input {given.name!r} has the shape {_shown(given.shape)}: must be (rows, {needed}) for the contract's "
            f"features with categories {encoding}, or (rows, {width(contract, other)}) with --encoding {other}"
        )
    names = [column.name for column in contract.features]
    return {"name": given.name, "dtype": given.dtype, "rank": 2, "columns": names, "encoding": encoding}


def _with_levels(contract: Contract) -> list[ModelColumn]:
    """Return the model's columns, each category with its values in the order of the contract."""
    free = [column.name for column in contract.features if kind_of(column) == "category" and not column.categories]
    if free:
        raise ImportRefused(
            f"{', '.join(free)}: the contract must list the categories of a text that a matrix holds as numbers; list "
            "them, or give the model an input of each column's own name that takes text"
        )
    columns = model_columns(contract)
    for column, declared in zip(columns, contract.features, strict=True):
        if column["kind"] == "category":
            column["levels"] = [str(value) for value in declared.categories or ()]
    return columns


def width(contract: Contract, encoding: str) -> int:
    """Count the columns of a matrix of all features."""
    categories = [len(column.categories or ()) for column in contract.features if kind_of(column) == "category"]
    return len(contract.features) + (sum(categories) - len(categories) if encoding == "one-hot" else 0)


# ---- an input for each column


def _named_input(contract: Contract, given: Tensor) -> Input:
    column = contract.by_name.get(given.name)
    if column is None or column.role != "feature":
        features = ", ".join(column.name for column in contract.features)
        raise ImportRefused(
            f"input {given.name!r}: must be a feature of the contract {contract.name!r}, one of {features}"
        )
    kind = kind_of(column)
    if given.dtype not in _TAKES[kind]:
        raise ImportRefused(f"input {given.name!r} is {given.dtype}: must be {' or '.join(_TAKES[kind])} for a {kind}")
    if column.nullable and given.dtype not in (*_FLOATS, "str"):
        raise ImportRefused(
            f"input {given.name!r} is {given.dtype}: must be able to hold null, which the contract allows; use float32"
        )
    _refuse_fixed_rows(given)
    if given.shape is not None and (len(given.shape) > 2 or given.shape[1:] not in ((), (1,), (None,))):
        raise ImportRefused(
            f"input {given.name!r} has the shape {_shown(given.shape)}: must be (rows,) or (rows, 1), as one column"
        )
    rank = 2 if given.shape is None else len(given.shape)
    return {"name": given.name, "dtype": given.dtype, "rank": rank, "columns": [given.name], "encoding": "value"}


def _refuse_fixed_rows(given: Tensor) -> None:
    if given.shape and given.shape[0] is not None:
        raise ImportRefused(
            f"input {given.name!r} takes exactly {given.shape[0]} rows: must take any number; export the model with a "
            "dynamic first dimension"
        )


# ---- outputs


def _answer_of(contract: Contract, outputs: list[Tensor]) -> str:
    """Return the name of the output with the probabilities, or the value."""
    tensors = [one for one in outputs if one.dtype in _FLOATS]
    named = [one for one in tensors if "prob" in one.name.lower()]
    answers = tensors if len(tensors) == 1 else named
    if len(answers) != 1:
        listed = ", ".join(f"{one.name!r} {one.dtype}" for one in outputs)
        raise ImportRefused(
            f"outputs {listed}: one must be float32 or float64 and the only one, or be called probabilities; "
            "export a scikit-learn classifier with zipmap=False"
        )
    (answer,) = answers
    fits, last = _widths_that_fit(contract), answer.shape and answer.shape[-1]
    if answer.shape and len(answer.shape) > 1 and last not in (None, *fits):
        raise ImportRefused(f"output {answer.name!r} has the shape {_shown(answer.shape)}: {_needed_shape(contract)}")
    return answer.name


def _widths_that_fit(contract: Contract) -> tuple[int, ...]:
    return {"regression": (1,), "binary": (1, 2)}.get(contract.task) or (len(classes_of(contract)),)


def _needed_shape(contract: Contract) -> str:
    if contract.task == "regression":
        return "must be one number a row for a regression"
    if contract.task == "binary":
        positive = f"{contract.target.name} is {contract.positive!r}"
        return f"must be the probability that {positive}, or of both, for a binary task"
    return f"must be a probability for each of {', '.join(map(str, classes_of(contract)))}, in this order"


def _shown(shape: tuple[int | None, ...] | None) -> str:
    return "(" + ", ".join("rows" if n is None else str(n) for n in shape or ()) + ")"
