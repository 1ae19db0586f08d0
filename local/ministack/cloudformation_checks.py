"""Refuse what CloudFormation refuses: dangling references, properties against the registry's schemas, names that exist,
exports in use, and IAM without its capability.
"""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation.handlers import _imported_export_names

from local import limits, registry
from local.asl.machine import problems

CFN = "ministack.services.cloudformation"
HOOKS = (
    *(f"{CFN}.{module}:validate_template_support" for module in ("engine", "handlers", "changesets")),
    *(f"{CFN}.{module}:_provision_resource" for module in ("provisioners", "stacks")),
    *(f"{CFN}.{module}:_update_resource" for module in ("provisioners", "stacks")),
    *(f"{CFN}.handlers:{name}" for name in ("_capabilities_enforced", "_imported_export_names")),
    f"{CFN}.stacks:_resolve_stack_outputs",
    f"{CFN}:_exports",
    f"{CFN}:_stacks",
)
# Type -> (the property with its name, the module that stores the resources, and the name of its store).
NAMED = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "_tables"),
    "AWS::IAM::Role": ("RoleName", "iam", "_roles"),
    "AWS::IAM::User": ("UserName", "iam", "_users"),
    "AWS::Lambda::Function": ("FunctionName", "lambda_svc", "_functions"),
    "AWS::Logs::LogGroup": ("LogGroupName", "cloudwatch_logs", "_log_groups"),
    "AWS::S3::Bucket": ("BucketName", "s3", "_buckets"),
    "AWS::SSM::Parameter": ("Name", "ssm", "_parameters"),
}
# The same, if resources are stored under an ARN or an address that ends with the name.
ADDRESSED = {
    "AWS::SNS::Topic": ("TopicName", "sns", "_topics"),
    "AWS::SQS::Queue": ("QueueName", "sqs", "_queues"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "stepfunctions", "_state_machines"),
}


def register() -> None:
    modules: dict[str, Any] = {
        name: importlib.import_module(f"{CFN}.{name}")
        for name in ("handlers", "changesets", "engine", "stacks", "provisioners")
    }
    validate = modules["engine"].validate_template_support

    def validate_all(template, conditions, params=None):
        validate(template, conditions, params)
        problem = next(_unresolved(template), None)
        if problem:
            raise ValueError(problem)

    for name in ("handlers", "changesets", "engine"):
        modules[name].validate_template_support = validate_all
    provision, update = modules["provisioners"]._provision_resource, modules["provisioners"]._update_resource
    for name in ("provisioners", "stacks"):
        modules[name]._provision_resource = _checked_creation(provision)
        modules[name]._update_resource = _checked_update(update)
    modules["handlers"]._capabilities_enforced = lambda: True  # MiniStack requires them only with IAM enforced
    modules["stacks"]._resolve_stack_outputs = _with_exports(modules["stacks"]._resolve_stack_outputs)


# References


def _unresolved(template: dict[str, Any]) -> Iterator[str]:
    """Return one sentence for each block with references to names that the template does not have."""
    if template.get("Transform"):
        return  # a macro may add what is missing
    known = {*(template.get("Resources") or {}), *(template.get("Parameters") or {})}
    for block in ("Resources", "Outputs"):
        missing = sorted(
            {name for name in _named(template.get(block) or {}) if name not in known and not name.startswith("AWS::")}
        )
        if missing:
            names = ", ".join(missing)
            yield (
                f"Template format error: Unresolved resource dependencies [{names}] in the {block} "
                "block of the template"
            )


def _named(node: Any) -> Iterator[str]:
    """Return the logical names that Ref, Fn::GetAtt, Fn::Sub and DependsOn in a part of a template refer to."""
    if isinstance(node, list):
        for inner in node:
            yield from _named(inner)
    if not isinstance(node, dict):
        return
    if len(node) == 1:
        yield from _of_function(*next(iter(node.items())))
    if "Type" in node and "DependsOn" in node:
        needed = node["DependsOn"]
        yield from [needed] if isinstance(needed, str) else [name for name in needed if isinstance(name, str)]
    for inner in node.values():
        yield from _named(inner)


def _of_function(function: str, given: Any) -> Iterator[str]:
    if function == "Ref" and isinstance(given, str):
        yield given
    elif function == "Fn::GetAtt":
        name = given[0] if isinstance(given, list) and given else str(given).partition(".")[0]
        yield from [name] if isinstance(name, str) else []
    elif function == "Fn::Sub":
        text, own = (given[0], given[1]) if isinstance(given, list) and len(given) == 2 else (given, {})
        found = re.findall(r"\$\{([^!{}][^{}]*)\}", text if isinstance(text, str) else "")
        yield from (name for name in (each.strip().partition(".")[0] for each in found) if name not in own)


# Properties


def _checked_creation(provision: Callable[..., tuple]) -> Callable[..., tuple]:
    def create(kind, logical_id, properties, *rest):
        _check_properties(kind, logical_id, properties)
        _check_name(kind, properties)
        return provision(kind, logical_id, properties, *rest)

    return create


def _checked_update(update: Callable[..., tuple]) -> Callable[..., tuple]:
    def change(kind, physical_id, old, new, stack, logical_id=None, *rest):
        if new != old:
            _check_properties(kind, logical_id or physical_id, new)
        return update(kind, physical_id, old, new, stack, logical_id, *rest)

    return change


def _check_properties(kind: str, logical_id: str, properties: dict[str, Any]) -> None:
    """Raise the reason with which CloudFormation fails a resource."""
    found = [*registry.problems(kind, properties), *limits.of_type(kind, properties), *_flow_problems(kind, properties)]
    if found:
        raise ValueError(f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(found))


def _flow_problems(kind: str, properties: dict[str, Any]) -> list[str]:
    """Describe problems of a state machine's definition, after its substitutions."""
    text = properties.get("DefinitionString", properties.get("Definition"))
    if kind != "AWS::StepFunctions::StateMachine" or text is None:
        return []
    text = text if isinstance(text, str) else json.dumps(text)
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        text = text.replace(f"${{{name}}}", str(value))
    found = problems(text, express=properties.get("StateMachineType") == "EXPRESS")
    return [f"Invalid State Machine Definition: '{problem}'" for problem in found]


def _check_name(kind: str, properties: dict[str, Any]) -> None:
    """Refuse a name that another stack or a person already uses."""
    named, module, store = (NAMED | ADDRESSED).get(kind, ("", "", ""))
    name = properties.get(named) if named else None
    if not name:
        return
    there = getattr(importlib.import_module(f"ministack.services.{module}"), store)
    taken = name in there if kind in NAMED else any(re.split("[/:]", key)[-1] == name for key in list(there))
    if taken:
        raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")


# Exports


def _with_exports(resolve: Callable[..., tuple]) -> Callable[..., tuple]:
    """Store exports: unique in the account, and while imported neither changed nor removed."""

    def resolve_checked(definitions, conditions, resources, parameters, mappings, stack_name, stack_id):
        outputs, exports = resolve(definitions, conditions, resources, parameters, mappings, stack_name, stack_id)
        problem = next(_export_problems(exports, stack_name, stack_id), None)
        if problem:
            raise ValueError(problem)
        _forget_exports(exports, stack_id)
        return outputs, exports

    return resolve_checked


def _export_problems(exports: dict[str, dict], stack_name: str, stack_id: str) -> Iterator[str]:
    for name in exports:
        other = cloudformation._exports.get(name)
        if other and other["StackId"] != stack_id:
            yield f"Export with name {name} is already exported by stack {other['StackId'].split('/')[1]}"
    for name, old in list(cloudformation._exports.items()):
        changed = old["StackId"] == stack_id and exports.get(name, {}).get("Value") != old["Value"]
        users = _importers(name, stack_name) if changed else []
        if users:
            verb = "updated" if name in exports else "deleted"
            yield f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}"


def _forget_exports(kept: dict[str, dict], stack_id: str) -> None:
    """Remove what a stack no longer exports; MiniStack only adds."""
    for name, export in list(cloudformation._exports.items()):
        if export["StackId"] == stack_id and name not in kept:
            cloudformation._exports.pop(name, None)


def _importers(export: str, exporter: str) -> list[str]:
    return [
        name
        for name, stack in cloudformation._stacks.items()
        if name != exporter
        and stack.get("StackStatus", "").endswith("_COMPLETE")
        and "DELETE" not in stack["StackStatus"]
        and export in _imported_export_names(stack, name)
    ]
