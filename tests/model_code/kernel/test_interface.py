"""What Python says of the compiled module is what the module says of itself."""

import ast
import inspect
from pathlib import Path

import pytest

from model_code.answers.answering import MOST_ANSWERS
from model_code.answers.media_types import CSV, FORMS, LINES
from model_code.answers.reply import JSON
from model_code.kernel import BUILT

pytestmark = pytest.mark.skipif(not BUILT, reason="there was no compiler")
STUB = Path(__file__).parents[3] / "model_code/kernel/_kernel.pyi"


@pytest.fixture(scope="module")
def module():
    from model_code.kernel import _kernel

    return _kernel


def stub_of_the_class():
    (stub,) = (node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef))
    return {method.name: method.args for method in stub.body if isinstance(method, ast.FunctionDef)}


def positional(arguments: ast.arguments) -> list[str]:
    assert not (arguments.args or arguments.kwonlyargs or arguments.vararg or arguments.kwarg)
    return [argument.arg for argument in arguments.posonlyargs]


def test_the_stub_has_the_functions_of_the_module_with_their_arguments(module):
    stub = stub_of_the_class()
    assert positional(stub.pop("__new__"))[1:] == list(inspect.signature(module.Kernel).parameters)
    built = {name: getattr(module.Kernel, name) for name in vars(module.Kernel) if not name.startswith("__")}
    assert {name: positional(arguments) for name, arguments in stub.items()} == {
        name: list(inspect.signature(function).parameters) for name, function in built.items()
    }


def test_the_stub_has_the_numbers_of_the_module(module):
    declared = {node.target.id for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.AnnAssign)}
    assert declared == {name for name, value in vars(module).items() if isinstance(value, int)}


def test_python_and_the_kernel_have_the_same_forms_and_the_same_largest_reply(module):
    assert {JSON: module.FORM_JSON, LINES: module.FORM_JSON_LINES, CSV: module.FORM_CSV} == FORMS
    assert module.MOST_ANSWERS == MOST_ANSWERS
