"""The drawing is true: folders import only what they may, and every function runs from the very zip it ships in."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from domain import names, records

ROOT = Path(__file__).resolve().parent.parent
LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"

STANDARD = sys.stdlib_module_names
MAY_IMPORT = {
    "domain": {"domain"},
    "infra": {"infra", "domain", "aws_cdk", "constructs", "cdk_nag"},
    "lambdas": {"lambdas", "domain", "boto3", "botocore"},
    "model_code": {
        "model_code",
        "domain",
        "numpy",
        "scipy",
        "sklearn",
        "joblib",
        "pandas",
        "threadpoolctl",
        "pyarrow",
        "onnxruntime",
        "uvloop",
        "httptools",
    },
    "fairway": {"fairway", "domain", "boto3", "botocore", "typer", "click", "rich", "pyarrow"},
}
# Exceptions, each with its reason.
ALSO = {
    "model_code": {
        "skops": "`fairway import` opens files of skops with it, where it is installed; never in the image",
        "tensorflow": "`fairway import` opens models of TensorFlow with it, where it is installed; never in the image",
        "torch": "`fairway import` opens models of PyTorch with it, where it is installed; never in the image",
    },
    "fairway": {
        "model_code.rows.tables": "rows are checked by the very code that the container checks them with",
        "local": "`fairway up` starts the local AWS; imported only then, and nothing deployed imports fairway",
    },
}


def imports(file: Path):
    """(line, full name) of every import in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_allowed(folder: str, name: str) -> bool:
    top = name.partition(".")[0]
    also = ALSO.get(folder, {})
    return (
        top in STANDARD
        or top in MAY_IMPORT[folder]
        or any(name == each or name.startswith(f"{each}.") for each in also)
    )


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_it_may(folder):
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, name in imports(file)
        if not is_allowed(folder, name)
    ]
    assert wrong == []


def test_nothing_that_is_deployed_knows_about_flights():
    wrong = [
        str(file.relative_to(ROOT))
        for folder in ("domain", "infra", "lambdas", "model_code")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"\bflight(?!s-(prod|dev))", file.read_text(encoding="utf-8").lower())
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "constants", "misc"])
def test_nothing_is_called_by_a_name_that_says_nothing(name):
    assert [str(file) for folder in MAY_IMPORT for file in (ROOT / folder).rglob(f"*{name}*.py")] == []


# Runs in the Lambda runtime's Python with nothing of ours on its path but the zip; one child for each function, as each
# has its own variables. boto3 is imported before, since it is the same for all.
IMPORT_ALL = """
import boto3, importlib, json, os, sys
functions, ended = json.load(sys.stdin), {}
for handler, variables in functions.items():
    child = os.fork()
    if not child:
        os.environ.update(variables)
        module, _, name = handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        os._exit(0)
    ended[handler] = os.waitpid(child, 0)[1]
sys.exit([handler for handler, status in ended.items() if status] or 0)
"""


def test_every_handler_imports_from_the_very_zip_it_ships_in(tmp_path):
    context = {"stage": "local", **json.loads((ROOT / "cdk.json").read_text())["context"]}
    synthesis = {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(tmp_path), "CDK_VALIDATION": "false"}
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **synthesis}, check=True)
    template = json.loads((tmp_path / "flights-local-service.template.json").read_text())
    (asset,) = tmp_path.glob("asset.*")
    functions = {
        each["Properties"]["Handler"]: variables_of(each["Properties"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    }
    assert len(functions) > 10
    runtime = {
        "LAMBDA_TASK_ROOT": str(asset),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(asset),
    }
    command = [LAMBDA_PYTHON, "-P", "-c", IMPORT_ALL]
    ran = subprocess.run(command, cwd="/", env=runtime, input=json.dumps(functions), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def variables_of(function: dict) -> dict[str, str]:
    given = function["Environment"]["Variables"]
    return {name: value if isinstance(value, str) else "named-at-deploy" for name, value in given.items()}


# Texts that have one home each; literals that merely are spelt like one are named here.
ONE_HOME = {
    "domain/names.py": [names.METRICS_NAMESPACE, names.BY_ENTITY, *names.Metric],
    "domain/records.py": [records.RELEASE, "attribute_not_exists(#item) OR #version = :read"],
}
SPELT_ALIKE = {
    "fairway/client/__init__.py": "the client is installable without domain, and exports classes of these names",
    "infra/data/tables.py": "ids of tables",
    "infra/request/realtime_api.py": "ids of functions",
    "infra/watch/alarms.py": "ids of alarms",
}


def literals(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_a_name_that_template_and_code_share_has_one_home():
    second_homes = [
        f"{path}: {text!r} is in {home}"
        for folder in ("domain", "infra", "lambdas", "fairway")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (path := file.relative_to(ROOT).as_posix()) not in SPELT_ALIKE
        for home, texts in ONE_HOME.items()
        for text in sorted(literals(file) & set(texts))
        if path != home and not (text == names.Metric.LATENCY and path == "lambdas/metrics.py")  # the end of a name
    ]
    assert second_homes == []
