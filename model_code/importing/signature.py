"""How the inputs and outputs of a tensor model map to the contract: by a convention, checked, and refused by name."""

from typing import NamedTuple

from domain.contract.schema import Contract
from model_code.importing.formats import ImportRefused
from model_code.rows.features import kind_of, model_columns

FLOATS = ("float32", "float64")
DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
}
TAKES = {"number": (*FLOATS, "int64", "int32"), "boolean": (*FLOATS, "bool", "int64", "int32"), "category": ("str",)}
ENCODINGS = ("ordinal", "one-hot")


class Tensor(NamedTuple):
    """One input or output. `shape` has None where any number of rows is taken; an unknown shape is None as a whole."""

    name: str
    dtype: str
    shape: tuple | None


def of_session(session) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of an ONNX Runtime session."""

    def tensors(given):
        return [
            Tensor(
                one.name, DTYPES.get(one.type, one.type), tuple(n if isinstance(n, int) else None for n in one.shape)
            )
            for one in given
        ]

    return tensors(session.get_inputs()), tensors(session.get_outputs())


def signature(contract: Contract, inputs: list[Tensor], outputs: list[Tensor], *, encoding: str) -> dict:
    if not inputs or not outputs:
        raise ImportRefused(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs; it needs at least one of each"
        )
    named = len(inputs) > 1 or inputs[0].name in {column.name for column in contract.features}
    mapped = [named_input(contract, one) for one in inputs] if named else [matrix_input(contract, inputs[0], encoding)]
    return {
        "task": "regression" if contract.task == "regression" else "classification",
        "classes": classes_of(contract),
        "columns": model_columns(contract) if named else with_levels(contract),
        "inputs": mapped,
        "output": answer_of(contract, outputs),
    }


def classes_of(contract: Contract) -> list:
    """In the order in which a model has to give their probabilities."""
    if contract.task == "regression":
        return []
    if contract.task == "binary":
        return [0, 1]
    if contract.target.categories:
        return list(contract.target.categories)
    return sorted(int(name) if contract.target.type == "integer" else name for name in contract.prior)


# ---- one matrix


def matrix_input(contract: Contract, given: Tensor, encoding: str) -> dict:
    """Every feature in the contract's order; `with_levels` says what a category's numbers mean."""
    if given.dtype not in FLOATS:
        raise ImportRefused(f"input {given.name!r} is {given.dtype}; a matrix of all features is {' or '.join(FLOATS)}")
    refuse_fixed_rows(given)
    found, needed = given.shape and given.shape[-1], width(contract, encoding)
    if (given.shape is not None and len(given.shape) != 2) or found not in (None, needed):
        other = next(one for one in ENCODINGS if one != encoding)
        raise ImportRefused(
            f"input {given.name!r} has the shape {shown(given.shape)}, the contract's features are (rows, {needed}) "
            f"with categories {encoding} and (rows, {width(contract, other)}) with --encoding {other}"
        )
    columns = [column.name for column in contract.features]
    return {"name": given.name, "dtype": given.dtype, "rank": 2, "columns": columns, "encoding": encoding}


def with_levels(contract: Contract) -> list[dict]:
    """The model's columns, each category with its values in the order of the contract."""
    free = [column.name for column in contract.features if kind_of(column) == "category" and not column.categories]
    if free:
        raise ImportRefused(
            f"{', '.join(free)}: text has no numbers unless the contract lists its categories; list them, or give the "
            "model an input of each column's own name that takes text"
        )
    categories = {column.name: column.categories for column in contract.features}
    return [
        {**column, "levels": [str(value) for value in categories[column["name"]]]}
        if column["kind"] == "category"
        else column
        for column in model_columns(contract)
    ]


def width(contract: Contract, encoding: str) -> int:
    categories = [len(column.categories or ()) for column in contract.features if kind_of(column) == "category"]
    return len(contract.features) + (sum(categories) - len(categories) if encoding == "one-hot" else 0)


# ---- an input for each column


def named_input(contract: Contract, given: Tensor) -> dict:
    column = contract.by_name.get(given.name)
    if column is None or column.role != "feature":
        features = ", ".join(column.name for column in contract.features)
        raise ImportRefused(
            f"input {given.name!r} is no feature of the contract {contract.name!r}: those are {features}"
        )
    kind = kind_of(column)
    if given.dtype not in TAKES[kind]:
        raise ImportRefused(
            f"input {given.name!r} is {given.dtype}; for a {kind} it must be {' or '.join(TAKES[kind])}"
        )
    if column.nullable and given.dtype not in (*FLOATS, "str"):
        raise ImportRefused(
            f"input {given.name!r} is {given.dtype}, which cannot be missing as the contract allows; use float32"
        )
    refuse_fixed_rows(given)
    if given.shape is not None and (len(given.shape) > 2 or given.shape[1:] not in ((), (1,), (None,))):
        raise ImportRefused(
            f"input {given.name!r} has the shape {shown(given.shape)}; one column is (rows,) or (rows, 1)"
        )
    rank = 2 if given.shape is None else len(given.shape)
    return {"name": given.name, "dtype": given.dtype, "rank": rank, "columns": [given.name], "encoding": "value"}


def refuse_fixed_rows(given: Tensor) -> None:
    if given.shape and given.shape[0] is not None:
        raise ImportRefused(
            f"input {given.name!r} takes exactly {given.shape[0]} rows; export the model with any number of rows (a "
            "dynamic first dimension)"
        )


# ---- what it answers


def answer_of(contract: Contract, outputs: list[Tensor]) -> str:
    """Name of the output with the probabilities, or the value."""
    tensors = [one for one in outputs if one.dtype in FLOATS]
    named = [one for one in tensors if "prob" in one.name.lower()]
    found = tensors if len(tensors) == 1 else named
    if len(found) != 1:
        listed = ", ".join(f"{one.name!r} {one.dtype}" for one in outputs)
        raise ImportRefused(
            f"outputs {listed}: one must be float32 or float64 and the only one, or be called probabilities; "
            "export a scikit-learn classifier with zipmap=False"
        )
    (answer,) = found
    fits, last = widths_that_fit(contract), answer.shape and answer.shape[-1]
    if answer.shape and len(answer.shape) > 1 and last not in (None, *fits):
        raise ImportRefused(f"output {answer.name!r} has the shape {shown(answer.shape)}; {needed_shape(contract)}")
    return answer.name


def widths_that_fit(contract: Contract) -> tuple[int, ...]:
    return {"regression": (1,), "binary": (1, 2)}.get(contract.task) or (len(classes_of(contract)),)


def needed_shape(contract: Contract) -> str:
    if contract.task == "regression":
        return "a regression answers one number a row"
    if contract.task == "binary":
        return (
            f"a binary model answers the probability that {contract.target.name} is {contract.positive!r}, or of both"
        )
    return f"it must answer a probability for each of {', '.join(map(str, classes_of(contract)))}, in this order"


def shown(shape: tuple | None) -> str:
    return "(" + ", ".join("rows" if n is None else str(n) for n in shape or ()) + ")"
