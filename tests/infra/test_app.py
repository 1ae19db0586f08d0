"""The app as it is called: which stages it builds, what it refuses, and that it builds the same thing every time."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from infra.parts import function
from infra.parts.image import image_tag
from infra.request import realtime_api
from tests.infra.conftest import ROOT, TAG, synthesise


def run_app(out: Path, **context) -> subprocess.CompletedProcess:
    """`python app.py` as the CDK's command line calls it: without an account, and with no network to find one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    environment |= {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(out), "CDK_VALIDATION": "false"}
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True)


def stacks(assembly: Path) -> list[str]:
    return sorted(file.name.removesuffix(".template.json") for file in assembly.glob("*.template.json"))


def broken_project(folder: Path, old: str, new: str) -> Path:
    shutil.copytree(ROOT / "flights", folder / "flights", ignore=shutil.ignore_patterns("*.py"))
    for name in ("fairway.toml", "flights/contract.toml"):
        text = (ROOT / name).read_text()
        (folder / name).write_text(text.replace(old, new, 1))
    return folder


def test_every_stage_on_aws_gets_two_stacks_and_the_laptop_none_of_them(tmp_path):
    ran = run_app(tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stacks(tmp_path) == [
        f"flights-{stage}-{stack}" for stage in ("dev", "prod", "staging") for stack in ("data", "service")
    ]


def test_one_stage_can_be_asked_for(local):
    assert stacks(local) == ["flights-local-data", "flights-local-service"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("memory_mb = 2048", "memory_mb = 2000", "fairway.toml: serving.memory_mb = 2000: must be one of 1024, 2048"),
        ('type = "timestamp"', 'type = "moment"', "contract.toml: columns.departure.type = 'moment': must be one of"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(tmp_path, old, new, said):
    ran = run_app(tmp_path / "out", project=str(broken_project(tmp_path, old, new)), stage="local")
    assert ran.returncode == 2
    assert said in ran.stderr and "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists() or not stacks(tmp_path / "out")


def test_a_stage_that_does_not_exist_is_refused_with_those_that_do(tmp_path):
    ran = run_app(tmp_path, stage="production")
    assert ran.returncode == 2
    assert "stage = 'production': must be one of local, dev, staging, prod" in ran.stderr


def test_two_syntheses_are_the_same_to_the_byte(tmp_path):
    once, again = (contents(synthesise(tmp_path / name, stage="local")) for name in ("once", "again"))
    assert sorted(once) == sorted(again)
    assert [name for name in once if once[name] != again[name]] == []


def contents(assembly: Path) -> dict[str, bytes]:
    return {str(file.relative_to(assembly)): file.read_bytes() for file in assembly.rglob("*") if file.is_file()}


def test_a_finding_that_nobody_accepted_fails_synthesis(tmp_path, monkeypatch):
    monkeypatch.delitem(function.ACCEPTED, "Serverless-LambdaDLQ")
    with pytest.raises(RuntimeError, match="Serverless-LambdaDLQ"):
        synthesise(tmp_path, stage="local", nag="true")


def test_a_template_that_cloudformation_would_refuse_fails_synthesis(tmp_path, monkeypatch):
    monkeypatch.setattr(realtime_api, "LONGEST_REPLY_S", 901)
    with pytest.raises(RuntimeError, match="Validation failed|ValidationFailed"):
        synthesise(tmp_path, validated=True, stage="local")


def test_the_functions_ship_their_sources_with_bytecode_and_settings_and_nothing_else(local):
    (asset,) = local.glob("asset.*")
    shipped = {str(file.relative_to(asset)) for file in asset.rglob("*") if file.is_file()}
    sources = [file.relative_to(ROOT) for file in function.function_sources()]
    bytecode = [cache_from_source(file) for file in sources if file.suffix == ".py"]
    own_build = f"model_code/kernel/_kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    assert shipped == {"settings.json", own_build, *map(str, sources), *bytecode}
    settings = json.loads((asset / "settings.json").read_text())
    assert (settings["config"]["stage"], settings["contract"]["name"], settings["code_version"]) == (
        "local",
        "flights",
        "0123456789ab",
    )


def test_the_bytecode_is_the_same_whatever_machine_and_moment_makes_it():
    def contents(folder):
        return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.pyc")}

    first = contents(function.compiled_sources(local=True))
    function.compiled_sources.cache_clear()
    assert first and contents(function.compiled_sources(local=True)) == first
    assert not [name for name, code in first.items() if str(ROOT).encode() in code or b"fairway-functions-" in code]


def test_what_goes_to_aws_has_bytecode_of_the_functions_python_or_none():
    assert list(function.compiled_sources(local=False, version=(3, 12)).rglob("*.pyc")) == []
    assert list(function.compiled_sources(local=False, version=(3, 13)).rglob("*.pyc"))


def test_others_can_read_the_functions_code_whatever_the_umask_and_its_hash_stays(tmp_path, local):
    with_umask = "import os, runpy; os.umask(0o077); runpy.run_path('app.py', run_name='__main__')"
    context = {**json.loads((ROOT / "cdk.json").read_text())["context"], "image_tag": TAG, "stage": "local"}
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(tmp_path)}
    environment["CDK_VALIDATION"] = "false"
    subprocess.run([sys.executable, "-c", with_umask], cwd=ROOT, env=environment, check=True)
    (asset,) = tmp_path.glob("asset.*")
    modes = {("folder" if path.is_dir() else "file", path.stat().st_mode & 0o777) for path in asset.rglob("*")}
    assert modes == {("folder", 0o755), ("file", 0o644)}
    assert asset.name == next(local.glob("asset.*")).name


def test_the_image_tag_changes_with_the_sources_and_only_with_them(tmp_path):
    for name in ("model_code/train.py", "domain/release/gate.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("pass")
    before = image_tag(tmp_path)
    (tmp_path / "model_code" / "__pycache__").mkdir()
    (tmp_path / "model_code" / "__pycache__" / "train.cpython-313.pyc").write_bytes(b"x")
    (tmp_path / "model_code" / "kernel.so").write_bytes(b"made on this machine")
    assert (image_tag(tmp_path), len(before)) == (before, 12)
    (tmp_path / "domain" / "gate.py").write_text("pass  # changed")
    changed = image_tag(tmp_path)
    (tmp_path / "uv.lock").write_text("version = 1")
    patched = image_tag(tmp_path, base="python@sha256:" + "ab" * 32)  # or no fix of the base would ever be deployed
    assert len({before, changed, image_tag(tmp_path), patched}) == 4
