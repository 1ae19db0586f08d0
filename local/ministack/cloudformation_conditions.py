"""Conditions of a template with the functions that CloudFormation takes in them; MiniStack knows neither Join nor
Split nor Sub there, so that cdk's own bootstrap took an empty list of policies for one that is given.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region

CFN = "ministack.services.cloudformation"
MODULES = ("engine", "changesets", "handlers", "stacks")
HOOKS = tuple(f"{CFN}.{module}:_evaluate_conditions" for module in MODULES)


def register() -> None:
    for name in MODULES:
        module: Any = importlib.import_module(f"{CFN}.{name}")
        module._evaluate_conditions = evaluate


def evaluate(template: dict[str, Any], parameters: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Return {name: whether it holds} for every condition; parameters are {name: {"Value": text}}."""
    scope = _Scope(template, parameters)
    return {name: scope.holds({"Condition": name}) for name in template.get("Conditions") or {}}


class _Scope:
    """The values that one template's conditions read."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, dict[str, Any]]):
        self.conditions, self.mappings = template.get("Conditions") or {}, template.get("Mappings") or {}
        self.declared, self.parameters = template.get("Parameters") or {}, parameters
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Condition": lambda name: self.holds(self.conditions[name]),
            "Fn::And": lambda given: all(map(self.holds, given)),
            "Fn::Or": lambda given: any(map(self.holds, given)),
            "Fn::Not": lambda given: not self.holds(given[0]),
            "Fn::Equals": lambda given: _text(self.value(given[0])) == _text(self.value(given[1])),
            "Fn::If": lambda given: self.value(given[1] if self.holds({"Condition": given[0]}) else given[2]),
            "Fn::Join": lambda given: str(given[0]).join(map(_text, self.value(given[1]))),
            "Fn::Split": lambda given: _text(self.value(given[1])).split(given[0]),
            "Fn::Select": lambda given: self.value(given[1])[int(self.value(given[0]))],
            "Fn::FindInMap": self.found_in_map,
            "Fn::Sub": self.substituted,
            "Ref": self.referred,
        }

    def holds(self, expression: Any) -> bool:
        return _text(self.value(expression)) == "true"

    def value(self, expression: Any) -> Any:
        if isinstance(expression, list):
            return [self.value(each) for each in expression]
        if isinstance(expression, dict) and len(expression) == 1:
            ((function, given),) = expression.items()
            if function in self.functions:
                return self.functions[function](given)
            raise ValueError(f"Template error: {function} cannot be used in a condition")
        return expression

    def referred(self, name: str) -> Any:
        pseudo = {"AWS::Region": get_region, "AWS::AccountId": get_account_id, "AWS::Partition": lambda: "aws"}
        if name in pseudo:
            return pseudo[name]()
        if name not in self.parameters:
            return name
        value, kind = self.parameters[name]["Value"], str((self.declared.get(name) or {}).get("Type", ""))
        is_list = isinstance(value, str) and (kind == "CommaDelimitedList" or kind.startswith("List<"))
        return [item.strip() for item in value.split(",")] if is_list else value

    def found_in_map(self, given: list[Any]) -> Any:
        name, first, second = (_text(self.value(each)) for each in given[:3])
        return self.mappings[name][first][second]

    def substituted(self, given: Any) -> str:
        text, own = given if isinstance(given, list) else (given, {})
        named = {name: _text(self.value(value)) for name, value in own.items()}
        return re.sub(r"\$\{([^!}]+)\}", lambda found: named.get(found[1]) or _text(self.referred(found[1])), text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
