"""The drawing is true: folders import only what they may, and every function runs from the very zip it ships in."""

import ast
import collections
import functools
import graphlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain import lake, names, records

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
    "fairway": {"fairway", "domain", "boto3", "botocore", "typer", "click", "rich", "pyarrow", "jinja2", "markupsafe"},
}
# Exceptions, each with its reason.
ALSO = {
    "model_code": {
        "skops": "`fairway import` opens files of skops with it, where it is installed; never in the image",
        "tensorflow": "`fairway import` opens models of TensorFlow with it, where it is installed; never in the image",
        "torch": "`fairway import` opens models of PyTorch with it, where it is installed; never in the image",
    },
    "lambdas": {
        "model_code.answers": "a function answers by the very code that the container answers by",
        "model_code.artefact": "and opens an artefact as the container does",
        "model_code.kernel": "and answers with its kernel, where the zip has one",
    },
    "fairway": {
        "mlflow": "`fairway runs --mlflow` exports with it, where it is installed",
        "model_code.rows.tables": "rows are checked by the very code that the container checks them with",
        "model_code.rows.duplicates": "two rows are one for `fairway load` where they are for training",
        "model_code.rows.identity": "`fairway forget` names a row's entity as the container does",
        "model_code.rows.held_out": "held-out rows are exported by the code that selects them for the evaluation",
        "model_code.artefact": "`fairway impact` opens the champion as the container does",
        "model_code.upstream": "and answers rows with it, with a column changed",
        "infra.parts.image": "a deployment builds the very image that the templates name",
        "local": "`fairway up` starts the local AWS; imported only then, and nothing deployed imports fairway",
    },
}


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path):
    """(line, full name) of every import in a file."""
    for node in ast.walk(tree_of(file)):
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


def test_the_types_of_every_service_that_infra_uses_are_checked():
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    (read,) = (each["module"] for each in overrides if each.get("follow_imports") == "normal")
    used = {
        ".".join(name.split(".")[:2])
        for file in (ROOT / "app.py", *(ROOT / "infra").rglob("*.py"))
        for _, name in imports(file)
        if name.startswith("aws_cdk.aws_")
    }
    assert len(used) > 20
    assert used - set(read) == set()


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


# ---- rooms: the folders of a layer, and the modules beside them

LAYERS = (*MAY_IMPORT, "local")
FLOWS = {"request", "train", "release", "batch", "watch", "features", "money"}


def modules() -> dict[str, Path]:
    """Every module of the layers by its dotted name; a package's own file has the name of its folder."""
    files = [file for layer in LAYERS for file in sorted((ROOT / layer).rglob("*.py"))]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported_at_the_top(file: Path, ours: dict[str, Path]) -> set[str]:
    """The modules of ours that a file imports when it is imported itself; packages' own files left out."""
    names = set()
    for node in tree_of(file).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name in ours and ours[name].name != "__init__.py"}


def room_of(module: str) -> str:
    """domain.release for domain.release.gate, domain.lake for domain.lake."""
    return ".".join(module.split(".")[:2])


def test_no_module_and_no_room_imports_in_a_circle():
    ours = modules()
    arrows = {module: imported_at_the_top(file, ours) - {module} for module, file in ours.items()}
    tuple(graphlib.TopologicalSorter(arrows).static_order())  # raises CycleError, which names the circle
    rooms: dict[str, set[str]] = {}
    for module, found in arrows.items():
        rooms.setdefault(room_of(module), set()).update({room_of(each) for each in found} - {room_of(module)})
    assert len(rooms) > 40
    tuple(graphlib.TopologicalSorter(rooms).static_order())


@pytest.mark.parametrize("layer", ["domain", "infra", "lambdas"])
def test_a_layer_is_cut_by_the_flows_and_by_few_rooms_beside_them(layer):
    beside = {
        "domain": {"config", "contract"},
        "infra": {"data", "kubernetes", "parts"},
        "lambdas": {"aws"},
    }
    rooms = {file.name for file in (ROOT / layer).iterdir() if file.is_dir() and file.name != "__pycache__"}
    assert rooms - FLOWS == beside[layer]


def test_every_function_lies_in_the_folder_of_its_flow():
    handlers = [
        file.relative_to(ROOT / "lambdas")
        for file in (ROOT / "lambdas").rglob("*.py")
        if "\ndef handler(" in file.read_text(encoding="utf-8")
    ]
    assert len(handlers) > 10
    assert [str(file) for file in handlers if len(file.parts) != 2 or file.parts[0] not in FLOWS] == []


@pytest.mark.parametrize("layer", [*MAY_IMPORT, "local"])
def test_an_import_inside_a_function_has_its_reason(layer):
    """In a comment on its line or the line above, or once for a module in a comment that begins with `# lazy:`."""
    without = []
    for file in sorted((ROOT / layer).rglob("*.py")):
        lines = file.read_text(encoding="utf-8").splitlines()
        if not any(line.strip().startswith("# lazy: ") for line in lines):
            without += [f"{file.relative_to(ROOT)}:{number}" for number in unexplained_imports(lines)]
    assert without == []


def unexplained_imports(lines: list[str]) -> set[int]:
    """Line numbers of imports in functions without a comment; of imports below each other only the first counts."""
    functions = (
        node
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    starts = {
        node.lineno for each in functions for node in ast.walk(each) if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    first = {number for number in starts if not lines[number - 2].strip().startswith(("from ", "import "))}
    return {
        number for number in first if "#" not in lines[number - 1] and not lines[number - 2].strip().startswith("#")
    }


def test_a_private_name_stays_in_its_module():
    used = [
        f"{module} imports {node.module}.{alias.name}"
        for module, file in modules().items()
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LAYERS
        for alias in node.names
        if alias.name.startswith("_") and alias.name != "_kernel"  # the compiled module
    ]
    assert used == []


def functions_of(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree_of(file)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


# Functions whose arguments somebody else decides, each with its reason.
GIVEN_SIGNATURES = {
    "fairway.commands.backtest.backtest_command": "each option of a command is an argument",
    "fairway.commands.experiment.start_command": "each option of a command is an argument",
    "fairway.commands.import_model.import_command": "each option of a command is an argument",
    "fairway.commands.money.cost": "each option of a command is an argument",
    "local.ministack.http_api.invoke_permitted": "MiniStack calls it",
}


def test_a_function_has_at_most_60_lines_and_8_arguments():
    too_large = [
        f"{module}.{function.name}"
        for module, file in modules().items()
        for function in functions_of(file)
        if function.end_lineno - function.body[0].lineno >= 60
        or len({each.arg for each in (*function.args.args, *function.args.kwonlyargs)} - {"self", "cls"}) > 8
    ]
    assert sorted(too_large) == sorted(GIVEN_SIGNATURES)


def test_a_function_that_only_its_module_uses_is_private():
    """By its name: a public function's name is a word of another file, or it is a command or a handler."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(ROOT.glob("*/**/*.py")) if is_ours(file)}
    others = " ".join((ROOT / name).read_text(encoding="utf-8") for name in ("app.py", "pyproject.toml", "Makefile"))
    files_with = collections.Counter(
        word for text in (*texts.values(), others) for word in set(re.findall(r"\w+", text))
    )
    public = [
        f"{module}.{function.name}"
        for module, file in modules().items()
        for function in tree_of(file).body
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        if not function.name.startswith("_") and not function.decorator_list and files_with[function.name] == 1
        if f'"{function.name}"' not in texts[file]  # somebody else's hook
    ]
    assert public == []


def is_ours(file: Path) -> bool:
    return file.relative_to(ROOT).parts[0] in {*LAYERS, "bench", "docs", "flights", "tests"}


def test_tests_mirror_the_folders():
    """A test lies in the folder of what it tests; a folder of tests of one module has the module's name."""
    layers = [layer for layer in LAYERS if layer != "local"]
    folders = {file.parent.relative_to(ROOT / "tests") for layer in layers for file in files_of_tests(layer)}
    missing = [
        str(folder)
        for folder in folders
        if not (ROOT / folder).is_dir() and not (ROOT / folder).with_suffix(".py").is_file()
    ]
    assert missing == []


def files_of_tests(layer: str) -> list[Path]:
    return sorted((ROOT / "tests" / layer).rglob("test_*.py"))


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


FOLDERS = [text for name, text in vars(lake).items() if name.isupper()]  # of the lake

# Texts that have one home each; literals that merely are spelt like one are named here.
ONE_HOME = {
    "domain/names.py": [names.METRICS_NAMESPACE, names.BY_ENTITY, *names.Metric],
    "domain/records.py": [records.RELEASE, "attribute_not_exists(#item) OR #version = :read"],
}
SPELT_ALIKE = {
    "fairway/client/__init__.py": "the client is installable without domain, and exports classes of these names",
    "domain/request/openapi.py": "names of schemas",
    "infra/data/tables.py": "ids of tables",
    "infra/request/realtime_api.py": "ids of functions",
    "infra/watch/alarms.py": "ids of alarms",
}


def literals(file: Path) -> set[str]:
    return {
        node.value for node in ast.walk(tree_of(file)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_a_folder_of_the_lake_is_named_in_domain_lake_only():
    """No literal begins with one, at its start or after a quote as in JSONata; a setting's default may."""
    begins = re.compile(rf"(^|')({'|'.join(map(re.escape, FOLDERS))})")
    second_homes = [
        f"{path}: {text!r}"
        for folder in ("domain", "infra", "lambdas", "fairway")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if (path := file.relative_to(ROOT).as_posix()) not in ("domain/lake.py", "domain/config/sections.py")
        for text in sorted(literals(file))
        if begins.search(text)
    ]
    assert len(FOLDERS) > 8
    assert second_homes == []


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


def test_no_archive_is_unpacked_by_a_filter_which_python_has_from_3_11_4_on():
    files = [file for folder in (*LAYERS, "bench", "flights", "docs") for file in sorted((ROOT / folder).rglob("*.py"))]
    calls = [
        (file, node)
        for file in files
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    unpacking = [(file, node) for file, node in calls if node.func.attr in ("extract", "extractall", "unpack_archive")]
    assert len(unpacking) > 0
    wrong = [str(file) for file, node in unpacking if "filter" in {keyword.arg for keyword in node.keywords}]
    assert wrong == [], "Debian 12 has Python 3.11.2; local.sagemaker.s3_io.unpack does it"
