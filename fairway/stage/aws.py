"""Connect to a stage: its AWS clients, and the address book that its deployment stored in SSM."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from domain.config.sections import LOCAL, Config, read_config
from domain.contract.file import read_contract
from domain.contract.schema import Contract
from fairway.terminal.errors import Failed, Refused

# lazy: boto3, botocore and the local AWS take time to import, which `--help` and refusals do not need


@dataclass(frozen=True)
class Stage:
    """A deployed stage of a project; `addresses` are named as in domain (api_url, lake, runs, train, ...)."""

    folder: Path
    config: Config
    session: Any  # boto3's
    endpoint: str | None  # of the local AWS; None on AWS
    addresses: dict[str, Any]
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = _client(self.session, service, self.endpoint)
        return self.clients[service]

    @property
    def contract(self) -> Contract:
        return contract_of(self.folder, self.config)

    @property
    def is_local(self) -> bool:
        return self.endpoint is not None


def contract_of(folder: Path, config: Config) -> Contract:
    return read_contract(folder / config.project.contract, config.project.task)


def connect(folder: Path, stage: str, *, config: Config | None = None) -> Stage:
    """Connect to the deployed stage. Refused if there is no such stage, no local AWS, or nothing deployed.

    With `config`, neither fairway.toml nor the contract is read, for commands that must work when those are wrong.
    """
    if config is None:
        config = read_config(folder, stage)
        contract_of(folder, config)
    endpoint = _local_endpoint(folder) if stage == LOCAL else None
    session = _local_session(state_folder(folder)) if endpoint else _real_session(config)
    return Stage(folder, config, session, endpoint, _addresses(config, _client(session, "ssm", endpoint)))


def _real_session(config: Config) -> Any:
    from boto3 import Session

    return Session(region_name=config.target.region)


def _local_session(state: Path) -> Any:
    """Return a session of the local AWS's root user, whose key only the owner of its state folder can read."""
    from boto3 import Session

    from local.profile import REGION, root_key

    key = root_key(state)
    return Session(aws_access_key_id=key.access_key, aws_secret_access_key=key.secret_key, region_name=REGION)


def _client(session: Any, service: str, endpoint: str | None) -> Any:
    from botocore.config import Config as Settings

    settings: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": 5}, "max_pool_connections": 16}
    if endpoint:
        # The environment or a profile must not lead a client of the local AWS to a real one.
        settings |= {"s3": {"addressing_style": "path"}, "inject_host_prefix": False, "proxies": {"http": None}}
    return session.client(service, endpoint_url=endpoint, config=Settings(**settings))


def _addresses(config: Config, ssm: Any) -> dict[str, Any]:
    name = f"/fairway/{config.project.name}/{config.stage}"
    try:
        return json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        local = config.stage == LOCAL
        where = "on the local AWS" if local else f"in {ssm.meta.region_name} of this account"
        fix = "run `fairway up`" if local else "`fairway deploy` deploys it"
        what = f"stage {config.stage!r} of project {config.project.name!r}"
        raise Refused("not_deployed", f"{what} is not deployed {where} (no parameter {name}); {fix}") from None


# ---- the local AWS


def state_folder(folder: Path) -> Path:
    """Return the state folder of the project's local AWS: the default, or the last one of `fairway up --state`."""
    pointer = _pointer_of(folder)
    return Path(pointer.read_text().strip()) if pointer.exists() else default_state_folder(folder)


def default_state_folder(folder: Path) -> Path:
    return folder.absolute() / ".fairway" / LOCAL


def remember_state_folder(folder: Path, state: Path) -> None:
    pointer = _pointer_of(folder)
    if state == default_state_folder(folder):
        pointer.unlink(missing_ok=True)
    else:
        pointer.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pointer.write_text(f"{state}\n")


def _pointer_of(folder: Path) -> Path:
    """Return where the state folder of a project is recorded: with the user's own data, as a cloned project could name
    any folder.
    """
    from local.user import user_folder

    return user_folder() / "states" / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]


def ask_local(endpoint: str, page: str) -> Any:
    """Request a page of the local AWS itself, without any proxy in the environment."""
    with build_opener(ProxyHandler({})).open(f"{endpoint}/_fairway/{page}", timeout=10) as reply:
        return json.load(reply)


def _local_endpoint(folder: Path) -> str:
    """Return the address of the project's local AWS.

    It must answer, since a killed one leaves its server.json behind, and serve this very state: another project's may
    use its address by now. A folder of somebody else is not contacted at all.
    """
    from local.ownership import check
    from local.state import LocalError

    state = state_folder(folder)
    try:
        check(state)
        endpoint = json.loads((state / "server.json").read_text())["endpoint"]
        health = ask_local(endpoint, "health")
        runs = state.samefile(health["state"])
    except LocalError as error:
        raise Refused("local", str(error)) from None
    except (OSError, ValueError, KeyError):
        runs = False
    if not runs:
        raise Refused("not_running", "the local AWS of this project is not running; start it with `fairway up`")
    if health["failure"]:
        raise Failed("not_written", f"the local AWS answers nothing: {health['failure']}; make room, then try again")
    return endpoint
