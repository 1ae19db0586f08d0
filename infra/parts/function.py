"""A Lambda function: lambdas/<flow>/<verb>.py on Python 3.13, with its own role and log group."""

import atexit
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypedDict

from aws_cdk import AssetHashType, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from domain.config import sections as settings
from domain.config.sections import Config
from domain.contract import schema as contracts
from domain.contract.schema import Contract
from infra.parts.image import ROOT, source_files
from infra.parts.kernel import KernelMissing, kernel_of_functions
from infra.permissions import Many, accept, allow


def function_code(*, config: Config, contract: Contract, image_tag: str, with_kernel: bool = True) -> lambda_.Code:
    """Return the zip shared by all functions of a stage: lambdas/, domain/, settings.json, and the parts of model_code/
    that answer, with the kernel.

    They need only boto3 besides. Raises KernelMissing if nothing else could answer.
    """
    folder, local = _temporary_folder(), config.stage == settings.LOCAL
    shutil.copytree(compiled_sources(local=local), folder, dirs_exist_ok=True)
    if with_kernel:
        _add_kernel(folder, local=local, needed=config.serving.mode == "function")
    values = {"config": settings.as_dict(config), "contract": contracts.as_dict(contract), "code_version": image_tag}
    (folder / "settings.json").write_text(json.dumps(values, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    readable_by_all(folder)
    return lambda_.Code.from_asset(str(folder), asset_hash=_hash_of(folder), asset_hash_type=AssetHashType.CUSTOM)


def _add_kernel(folder: Path, *, local: bool, needed: bool) -> None:
    """Add the kernel. Without it endpoints still answer, but the functions cannot stand in for them."""
    try:
        module = kernel_of_functions(local=local)
    except KernelMissing as error:
        if needed:
            raise KernelMissing(f'serving.mode = "function": {error}') from error
        print(f"functions cannot stand in for an endpoint: {error}", file=sys.stderr)
    else:
        shutil.copyfile(module, folder / "model_code" / "kernel" / module.name)


def _hash_of(folder: Path) -> str:
    """Hash names, modes and contents without bytecode, so that the hash does not depend on the deploying Python.

    Modes are included, unlike in the CDK's own hash: otherwise a zip of unreadable files would count as published
    already.
    """
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"):
        name = file.relative_to(folder).as_posix()
        digest.update(f"{name}\0{file.stat().st_mode & 0o777:o}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def readable_by_all(folder: Path) -> None:
    """Give files 0644 and folders 0755, whatever the umask: Lambda's user does not own the files in the zip."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def function_sources() -> list[Path]:
    """Return the source files of the functions' zip."""
    model_code = [
        ROOT / "model_code" / folder / f"{module}.py" for folder, modules in MODEL_CODE.items() for module in modules
    ]
    return [*source_files(ROOT, ("lambdas", "domain")), *model_code]


@functools.cache
def compiled_sources(*, local: bool, version: tuple[int, int] = sys.version_info[:2]) -> Path:
    """Copy the sources, with bytecode if this Python is the version that the functions run on (local functions run on
    this Python).

    A process of its own compiles the bytecode, since other modules in memory affect the bytes, and without paths and
    times of this machine, so that the same sources make the same zip.
    """
    folder = _temporary_folder()
    for file in function_sources():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    if not local and version != PYTHON:
        return folder
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task"]
    subprocess.run([sys.executable, "-I", "-m", "compileall", *options, str(folder)], check=True)
    return folder


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fairway-functions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Given(TypedDict):
    """What every construct with functions needs: the stage's settings and the functions' zip."""

    config: Config
    code: lambda_.Code


class Function(lambda_.Function):
    """A function named by its construct id: `SelectWindow` runs lambdas/train/select_window.py as
    {prefix}-select_window.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        memory_mb: int,
        timeout_s: int,
        environment: dict[str, str],
    ) -> None:
        verb = re.sub(r"(?<!^)(?=[A-Z])", "_", id).lower()
        name, module = f"{config.prefix}-{verb}", _module_of(verb)
        log_group = logs.LogGroup(
            scope,
            f"{id}Logs",
            log_group_name=f"/aws/lambda/{name}",
            retention=log_days(config),
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            scope,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {module} may do",
        )
        log_group.grant_write(role)
        accept(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray has no resources that a policy could name")
        super().__init__(
            scope,
            id,
            function_name=name,
            handler=f"{module}.handler",
            code=code,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_s),
            environment=environment,
            role=role,
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
        )

        self.execution_role, self.timeout_s = role, timeout_s
        for finding, reason in ACCEPTED.items():
            accept(self, finding, reason)

    def allow(self, *actions: str, on: str | list[str] | Many, **conditions: Any) -> None:
        """Allow the function exactly these actions on exactly these resources."""
        allow(self.execution_role, *actions, on=on, **conditions)


def _module_of(verb: str) -> str:
    """Return the module of this name below lambdas/, in the folder of its flow."""
    (file,) = (ROOT / "lambdas").glob(f"*/{verb}.py")
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def log_days(config: Config) -> logs.RetentionDays:
    """Return how long a log is kept."""
    return RETENTION[config.monitoring.log_days]


PYTHON = (3, 13)  # of the functions on AWS, as their runtime
# What opens an artefact and answers with the kernel, by folder; standard library only.
MODEL_CODE = {
    ".": ("__init__", "refusals"),
    "answers": ("__init__", "answering", "bodies", "golden", "media_types", "reply"),
    "artefact": ("__init__", "archive", "folder", "manifest"),
    "engines": ("__init__", "engine", "limits", "scorer"),
    "kernel": ("__init__", "engine", "header"),
    "rows": ("__init__", "features"),
}
OLDER = "Python 3.13 is maintained until 2029; the whole repository moves to a newer one at once"
ACCEPTED = {
    "AwsSolutions-L1": OLDER,
    "Serverless-LambdaLatestVersion": OLDER,
    "Serverless-LambdaDLQ": (
        "Callers wait for the answer; scheduled functions run again, and their errors raise an alarm"
    ),
}
RETENTION: dict[int, logs.RetentionDays] = {
    days: getattr(logs.RetentionDays, name)
    for days, name in {
        1: "ONE_DAY",
        3: "THREE_DAYS",
        5: "FIVE_DAYS",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        120: "FOUR_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        400: "THIRTEEN_MONTHS",
        731: "TWO_YEARS",
    }.items()
}
