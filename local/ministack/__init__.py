"""Our changes to MiniStack, one file per service. Each names its hooks, so that another version is refused."""

import importlib
import importlib.metadata
from types import ModuleType
from typing import Any

from local.state import MINISTACK, LocalError

PLUGINS = (
    "signatures",
    "persistence",
    "dynamodb",
    "stream_records",
    "stream_roles",
    "stream_mappings",
    "restorations",
    "files",
    "versions",
    "lambda_runtime",
    "cloudwatch",
    "metrics",
    "cloudformation",
    "ecr",
    "iam",
    "stepfunctions",
    "events",
    "schedules",
    "autoscaling",
    "service_quotas",
    "http_api",
    "overload",
    "sagemaker",
    "leading_keys",
    "condition_keys",
    "passed_roles",
    "cloudformation_conditions",
    "cloudformation_checks",
    "requests",
)


def load_plugins() -> ModuleType:
    """Import MiniStack, check that every hook exists, register every plugin; return `ministack.app`."""
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK:
        raise LocalError(f"MiniStack {installed} is installed, {MINISTACK} is needed; run `make setup`")
    plugins = [importlib.import_module(f"local.ministack.{name}") for name in PLUGINS]
    missing = missing_hooks([hook for plugin in plugins for hook in plugin.HOOKS])
    if missing:
        raise LocalError(
            f"this MiniStack lacks what our plugins change: {', '.join(missing)}; run `make setup`, "
            "or adapt local/ministack to the new version"
        )
    for plugin in plugins:
        plugin.register()
    return importlib.import_module("ministack.app")


def missing_hooks(hooks: list[str]) -> list[str]:
    """Return the "module:attribute" names that do not exist."""
    return [hook for hook in hooks if not exists(*hook.split(":"))]


def exists(module: str, attribute: str) -> bool:
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return False
    for name in attribute.split("."):
        found = getattr(found, name, None)
    return found is not None
