"""Deploy the app onto the local AWS with the real `cdk bootstrap` and `cdk deploy`, unless nothing changed."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.config import Config

from domain.config.sections import read_config
from fairway.deploy.synth import app_inputs
from infra.parts.image import image_tag
from local.build import build, tree_hash
from local.cdk import ENVIRONMENT, ROOT, Target, start_app, start_cdk
from local.profile import REGION, RootKey, root_key
from local.state import LocalError, ask

INPUTS = ("app.py", "cdk.json", "infra", "lambdas", "domain", "uv.lock", "package-lock.json")


def deploy(
    project_dir: Path, *, endpoint: str, stage: str = "local", progress: Callable[[str], None] = lambda told: None
) -> dict:
    """Build the image, synthesise, bootstrap once, deploy; return {changed, seconds, image_tag, address_book}.

    What was deployed is recorded in the local AWS itself, so the record is as old as its state.
    """
    began = time.monotonic()
    project_dir, state_dir = Path(project_dir).absolute(), state_folder(endpoint)
    project = read_config(project_dir, stage).project
    parameters = client("ssm", endpoint, root_key(state_dir))
    tag = image_tag()
    wanted = fingerprint(project_dir, contract=project.contract, stage=stage, tag=tag)
    remembered, address_book = f"/fairway-local/{project.name}/{stage}", f"/fairway/{project.name}/{stage}"
    changed = parameter(parameters, remembered) != wanted
    if changed:
        _synthesise_and_deploy(
            project_dir,
            state_dir,
            endpoint,
            stage,
            tag,
            bootstrapped=parameter(parameters, "/cdk-bootstrap/hnb659fds/version") is not None,
            progress=progress,
        )
    written = parameter(parameters, address_book)
    if written is None:
        raise LocalError(f"the app was deployed but wrote no SSM parameter {address_book}")
    addresses = at_this_port(json.loads(written), endpoint)
    if json.dumps(addresses) != written:
        parameters.put_parameter(Name=address_book, Value=json.dumps(addresses), Type="String", Overwrite=True)
    build(ROOT, state_dir / "images", *repository_and_tag(addresses["image"]))
    if changed:
        parameters.put_parameter(Name=remembered, Value=wanted, Type="String", Overwrite=True)
    return {
        "changed": changed,
        "seconds": round(time.monotonic() - began, 2),
        "image_tag": tag,
        "address_book": addresses,
    }


def _synthesise_and_deploy(
    project_dir: Path,
    state_dir: Path,
    endpoint: str,
    stage: str,
    tag: str,
    *,
    bootstrapped: bool,
    progress: Callable[[str], None],
) -> None:
    assembly, log = state_dir / "cdk.out", state_dir / "deploy.log"
    log.unlink(missing_ok=True)
    if assembly.exists():
        shutil.rmtree(assembly)
    assembly.mkdir()
    target = Target(endpoint, root_key(state_dir), log)
    progress("building the templates")
    synth = start_app(target, app_inputs(project_dir, stage, assembly, image_tag=tag))
    # In parallel with synth, in a folder without a cdk.json: otherwise bootstrap would synthesise the app again.
    bootstrap = None if bootstrapped else start_cdk(target, "bootstrap", ENVIRONMENT, folder=state_dir)
    try:
        synth.finish()
        if bootstrap:
            progress("preparing the account (cdk bootstrap)")
            bootstrap.finish()
    finally:
        for started in filter(None, (synth, bootstrap)):
            started.end()
    progress("deploying")
    # Direct: for a change set, which nobody would look at here, the command line loads the schemas of all of AWS.
    words = ["deploy", "--app", str(assembly), "--all", "--require-approval", "never", "--no-validation"]
    words += ["--method", "direct"]
    start_cdk(target, *words, folder=state_dir).finish(progress)


def at_this_port(addresses: dict, endpoint: str) -> dict:
    """Return the address book with the API's current address: after a restart, the port may be another one."""
    api = addresses["api_url"].partition("/_aws/execute-api/")[2]
    return {**addresses, "api_url": f"{endpoint}/_aws/execute-api/{api}"}


def fingerprint(project_dir: Path, *, contract: str, stage: str, tag: str) -> str:
    """Return a hash that changes with anything that the deployed app is made of."""
    app = tree_hash([ROOT / name for name in INPUTS if (ROOT / name).exists()], relative_to=ROOT)
    project = tree_hash([project_dir / "fairway.toml", project_dir / contract], relative_to=project_dir)
    return json.dumps({"app": app, "project": project, "folder": str(project_dir), "stage": stage, "image": tag})


def state_folder(endpoint: str) -> Path:
    """Return the folder of the local AWS at this address."""
    try:
        return Path(ask(f"{endpoint}/_fairway/health", timeout_s=10)["state"])
    except (OSError, ValueError, KeyError):
        raise LocalError(f"no local AWS answers at {endpoint}; start it with `fairway up`") from None


def repository_and_tag(image_uri: str) -> tuple[str, str]:
    """Split `<registry>/<repository>:<tag>` into (repository, tag)."""
    name, _, tag = image_uri.partition("/")[2].rpartition(":")
    if not name or not tag:
        raise LocalError(f"the address book's image {image_uri!r} is not <registry>/<repository>:<tag>")
    return name, tag


def client(service: str, endpoint: str, key: RootKey):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        config=Config(proxies={"http": None}),  # type: ignore[dict-item]  # None: none, as botocore has it
    )


def parameter(parameters, name: str) -> str | None:
    try:
        return parameters.get_parameter(Name=name)["Parameter"]["Value"]
    except parameters.exceptions.ParameterNotFound:
        return None
