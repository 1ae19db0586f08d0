"""CloudWatch metric math over one period: numbers, + - * / ^, comparisons, && ||, and the functions below.

A metric without data in the period is None; it makes the whole result None, unless FILL gives it a value.
"""

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: dict[str, Callable[..., float]] = {
    "ABS": abs,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "LOG10": math.log10,
    "LOG": math.log,
    "MAX": lambda *values: max(flat(values)),
    "MIN": lambda *values: min(flat(values)),
    "SUM": lambda *values: sum(flat(values)),
    "AVG": lambda *values: sum(flat(values)) / len(flat(values)),
}


class MetricMathError(ValueError):
    """Report an expression that the local AWS does not evaluate."""


class Missing(Exception):
    """Report that there is no value: a metric had no data, or the arithmetic is undefined (x / 0)."""


def parse(expression: str) -> ast.expr:
    """Parse the expression; raises MetricMathError for anything outside the supported part."""
    text = re.sub(r"\|\|", " or ", re.sub(r"&&", " and ", expression.strip())).replace("^", "**")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise refusal(expression, "it cannot be parsed") from None
    for node in ast.walk(tree):
        check(node, expression)
    return tree


def names_in(expression: str) -> set[str]:
    """Return the ids of the metrics in the expression."""
    tree = parse(expression)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}


def check(node: ast.AST, expression: str) -> None:
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in (*FUNCTIONS, "IF", "FILL"):
            raise refusal(expression, f"{name} is not evaluated here")
    elif isinstance(node, ast.operator | ast.unaryop | ast.cmpop):
        if type(node) not in OPERATORS:
            raise refusal(expression, f"{type(node).__name__} is not an operator of metric math")
    elif not isinstance(
        node,
        ast.Name
        | ast.Constant
        | ast.BinOp
        | ast.UnaryOp
        | ast.Compare
        | ast.BoolOp
        | ast.boolop
        | ast.List
        | ast.expr_context,
    ):
        raise refusal(expression, f"{type(node).__name__} is not part of metric math")


def refusal(expression: str, reason: str) -> MetricMathError:
    return MetricMathError(
        f"metric math {expression!r} cannot be used: {reason} (functions: FILL, IF, {', '.join(sorted(FUNCTIONS))})"
    )


def evaluate(expression: str, values: dict[str, float | None]) -> float | None:
    """Return the result for one period; None if there is none."""
    try:
        return float(value_of(parse(expression), values))
    except (Missing, ZeroDivisionError, OverflowError):
        return None


def value_of(node: ast.expr, values: dict):
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return metric(node.id, values)
        case ast.List():
            return [value_of(element, values) for element in node.elts]
        case ast.UnaryOp():
            return OPERATORS[type(node.op)](value_of(node.operand, values))
        case ast.BinOp():
            return OPERATORS[type(node.op)](value_of(node.left, values), value_of(node.right, values))
        case ast.Compare():
            return float(
                OPERATORS[type(node.ops[0])](value_of(node.left, values), value_of(node.comparators[0], values))
            )
        case ast.BoolOp():
            combine = all if isinstance(node.op, ast.And) else any
            return float(combine(value_of(part, values) for part in node.values))
        case ast.Call():
            assert isinstance(node.func, ast.Name)  # parse() accepts nothing else
            return call(node.func.id, node.args, values)


def call(name: str, arguments: list[ast.expr], values: dict):
    if name == "IF":
        condition, *branches = arguments
        chosen = branches[0 if value_of(condition, values) else 1]
        return value_of(chosen, values)
    if name == "FILL":
        filled, value = arguments
        try:
            return value_of(filled, values)
        except Missing:
            return value_of(value, values)
    return FUNCTIONS[name](*[value_of(argument, values) for argument in arguments])


def metric(name: str, values: dict) -> float:
    if values[name] is None:
        raise Missing(name)
    return values[name]


def flat(values) -> list[float]:
    return [number for value in values for number in (value if isinstance(value, list) else [value])]
