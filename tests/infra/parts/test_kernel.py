"""The kernel in the functions' zip: of their processor, the same bytes on any machine, the endpoint's answers."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from domain.config.sections import read_config
from domain.contract.file import read_contract
from infra.parts import kernel
from infra.parts.function import compiled_sources, function_code, function_sources
from infra.parts.image import ROOT
from infra.parts.kernel import KernelMissing, kernel_of_functions

pytestmark = pytest.mark.xdist_group("infra")  # the compiler builds its C++ library once
OWN = sysconfig.get_config_var("EXT_SUFFIX")
LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
AARCH64 = 183  # e_machine of an ELF file


def test_the_module_is_of_graviton_and_needs_no_newer_c_library_than_amazon_linux_2023_has():
    module = kernel_of_functions(local=False).read_bytes()
    assert (module[:4], int.from_bytes(module[18:20], "little")) == (b"\x7fELF", AARCH64)
    versions = {tuple(map(int, found)) for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", module)}
    assert versions
    assert max(versions) <= (2, 34)
    assert set(re.findall(rb"lib[a-z+]+\.so\.\d+", module)) == {b"libc.so.6", b"libm.so.6"}


def test_the_same_sources_make_the_same_module_wherever_they_lie(tmp_path, monkeypatch):
    first = kernel_of_functions(local=False)
    monkeypatch.setattr(kernel, "SOURCES", shutil.copytree(kernel.SOURCES, tmp_path / "elsewhere" / "kernel"))
    monkeypatch.setattr(kernel, "CACHE", tmp_path / "cache")
    second = kernel_of_functions(local=False)
    assert second.parent.name == first.parent.name
    assert second.read_bytes() == first.read_bytes()
    assert kernel_of_functions(local=False).stat().st_mtime_ns == second.stat().st_mtime_ns  # not compiled again


def test_another_source_or_compiler_is_another_module(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "_compile", lambda target, module: module.write_text(target))
    monkeypatch.setattr(kernel, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(kernel, "SOURCES", shutil.copytree(kernel.SOURCES, tmp_path / "kernel"))
    places = [kernel_of_functions(local=False)]
    (tmp_path / "kernel" / "flags.txt").write_text("-O1")
    places.append(kernel_of_functions(local=False))
    places.append(kernel_of_functions(local=False, target="x86_64-linux-gnu.2.34"))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.0")
    places.append(kernel_of_functions(local=False))
    assert len(set(places)) == 4


def test_a_source_that_does_not_compile_is_refused_with_the_compiler_s_words(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(kernel, "SOURCES", shutil.copytree(kernel.SOURCES, tmp_path / "kernel"))
    (tmp_path / "kernel" / "module.cpp").write_text("#error no such luck\n")
    with pytest.raises(KernelMissing, match="no such luck"):
        kernel_of_functions(local=False)
    assert list((tmp_path / "cache").rglob("*.so")) == []


# ---- where it cannot be had


def code_of(mode: str):
    config = read_config(ROOT, "prod")
    config = dataclasses.replace(config, serving=dataclasses.replace(config.serving, mode=mode))
    contract = read_contract(ROOT / config.project.contract, config.project.task)
    return function_code(config=config, contract=contract, image_tag="t")


@pytest.fixture
def no_compiler(monkeypatch):
    was = importlib.metadata.version

    def version(name):
        if name == "ziglang":
            raise importlib.metadata.PackageNotFoundError(name)
        return was(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_without_a_compiler_function_mode_is_refused_by_name(no_compiler):
    with pytest.raises(KernelMissing) as refused:
        code_of("function")
    assert str(refused.value) == (
        'serving.mode = "function": the kernel cannot be compiled for functions: no ziglang; run make setup'
    )


def test_without_a_compiler_the_other_modes_say_what_is_missing_and_go_on(no_compiler, capsys):
    code_of("serverless")
    assert capsys.readouterr().err == (
        "functions cannot stand in for an endpoint: the kernel cannot be compiled for functions: no ziglang; "
        "run make setup\n"
    )


# ---- its answers

REPLIES = """
import json, pathlib, sys
from model_code.kernel.engine import KernelEngine
for case in json.load(sys.stdin):
    engine = KernelEngine(pathlib.Path(case["plan"]).read_bytes(), ())
    engine.set_limits([tuple(limit) for limit in case["limits"]], True)
    print([bytes(engine._kernel.score_json(body.encode())[0]).hex() for body in case["bodies"]])
    print([engine.reply_within(body.encode(), 0) for body in case["bodies"]])
"""


def replies(zip_root: Path, cases: list[dict]) -> str:
    """What the kernel in a zip says to bodies, in the Lambda runtime's Python."""
    command = [LAMBDA_PYTHON, "-P", "-c", REPLIES]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(zip_root)}
    ran = subprocess.run(command, cwd="/", env=environment, input=json.dumps(cases), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def zip_with(module: Path, folder: Path) -> Path:
    shutil.copytree(compiled_sources(local=True), folder)
    shutil.copyfile(module, folder / "model_code" / "kernel" / module.name)
    return folder


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with this machine's own build")
def test_its_scores_and_replies_are_those_of_this_machine_s_own_build_to_the_last_bit(tmp_path):
    """The functions' kernel for x86-64, by the other compiler with the other C++ library, on every kind of pipeline."""
    from model_code.plan import compile_plan
    from tests.model_code.pipelines import CASES, COLUMNS, FITTED, NAMES, hostile_rows, table

    rows = [dict(zip(NAMES, values, strict=True)) for values in table(rows=200)[0].tolist()]
    plain = [{name: None if value != value else value for name, value in row.items()} for row in rows]
    bodies = [json.dumps({"instances": some}) for some in (plain[:1], plain, hostile_rows(rows=200))]
    limits = [(True, False, float("-inf"), float("inf"), None)] * len(COLUMNS)
    cases = []
    for name in CASES:
        plan = tmp_path / f"{len(cases)}.bin"
        plan.write_bytes(compile_plan(FITTED[name], COLUMNS))
        cases.append({"plan": str(plan), "bodies": bodies, "limits": limits})
    of_aws = zip_with(kernel_of_functions(local=False, target="x86_64-linux-gnu.2.34"), tmp_path / "aws")
    own = zip_with(kernel_of_functions(local=True), tmp_path / "own")
    said = replies(of_aws, cases)
    assert said == replies(own, cases)
    assert len(said.splitlines()) == 2 * len(CASES) > 30


def test_what_answers_is_in_the_zip_and_needs_only_the_standard_library(tmp_path):
    own = zip_with(kernel_of_functions(local=True), tmp_path / "own")
    code = "import lambdas.aws.artefacts, sys; print(sorted({name.split('.')[0] for name in sys.modules}))"
    environment = {"PYTHONPATH": str(own), "AWS_REGION": "us-east-1"}
    ran = subprocess.run([LAMBDA_PYTHON, "-P", "-c", code], cwd="/", env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    loaded = {name for name in json.loads(ran.stdout.replace("'", '"')) if not name.startswith("_")}
    assert loaded - set(sys.stdlib_module_names) - {"domain", "lambdas", "model_code"} <= {"sitecustomize"}
    assert {file.suffix for file in function_sources()} >= {".py"}
