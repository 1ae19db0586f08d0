"""The way to a stage: its AWS clients, and the address book that its deployment left in SSM."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from domain.config.sections import LOCAL, Config, read_config
from domain.contract.file import read_contract
from domain.contract.schema import Contract
from fairway.terminal.errors import Failed, Refused

LOCAL_REGION = "us-east-1"
LOCAL_ACCOUNT = "000000000000"  # as the access key it is the root user of the local AWS, whatever the secret


@dataclass(frozen=True)
class Stage:
    """A deployed stage of a project: `addresses` as domain names them (api_url, lake, runs, train, ...)."""

    folder: Path
    config: Config
    session: object
    endpoint: str | None  # of the local AWS; None on AWS
    addresses: dict
    clients: dict = field(default_factory=dict, repr=False)

    def client(self, service: str):
        if service not in self.clients:
            self.clients[service] = client(self.session, service, self.endpoint)
        return self.clients[service]

    @property
    def contract(self) -> Contract:
        return contract_of(self.folder, self.config)

    @property
    def is_local(self) -> bool:
        return self.endpoint is not None


def contract_of(folder: Path, config: Config) -> Contract:
    return read_contract(folder / config.project.contract, config.project.task)


def connect(folder: Path, stage: str) -> Stage:
    """The deployed stage. Refused when there is no such stage, no local AWS, or nothing deployed."""
    config = read_config(folder, stage)
    contract_of(folder, config)
    endpoint = local_endpoint(folder) if stage == LOCAL else None
    session = session_of(config)
    return Stage(folder, config, session, endpoint, addresses(folder, config, client(session, "ssm", endpoint)))


def session_of(config: Config):
    from boto3 import Session

    if config.stage == LOCAL:
        return Session(aws_access_key_id=LOCAL_ACCOUNT, aws_secret_access_key="local", region_name=LOCAL_REGION)
    return Session(region_name=config.target.region)


def client(session, service: str, endpoint: str | None):
    from botocore.config import Config as Settings

    settings = {"retries": {"mode": "standard", "total_max_attempts": 5}, "max_pool_connections": 16}
    if endpoint:
        # What speaks to the local AWS must not find its way to a real one through the environment or a profile.
        settings |= {"s3": {"addressing_style": "path"}, "inject_host_prefix": False, "proxies": {"http": None}}
    return session.client(service, endpoint_url=endpoint, config=Settings(**settings))


def addresses(folder: Path, config: Config, ssm) -> dict:
    name = f"/fairway/{config.project.name}/{config.stage}"
    try:
        return json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        local = config.stage == LOCAL
        where = "on the local AWS" if local else f"in {ssm.meta.region_name} of this account"
        deploy = f"npx cdk deploy --all -c project={folder.absolute()} -c stage={config.stage}"
        fix = "run `fairway up`" if local else f"deploy it: `{deploy}`"
        what = f"stage {config.stage!r} of project {config.project.name!r}"
        raise Refused("not_deployed", f"{what} is not deployed {where} (no parameter {name}); {fix}") from None


# ---- the local AWS


def state_folder(folder: Path) -> Path:
    """Where the project's local AWS keeps what it holds: the default, or where `fairway up --state` was last sent."""
    pointer = folder / ".fairway" / "state"
    return Path(pointer.read_text().strip()) if pointer.exists() else folder.absolute() / ".fairway" / LOCAL


def remember_state_folder(folder: Path, state: Path) -> None:
    pointer = folder / ".fairway" / "state"
    if state == folder.absolute() / ".fairway" / LOCAL:
        pointer.unlink(missing_ok=True)
    else:
        pointer.parent.mkdir(exist_ok=True)
        pointer.write_text(f"{state}\n")


def ask_local(endpoint: str, page: str):
    """A page of the local AWS's own, past any proxy that the environment names."""
    with build_opener(ProxyHandler({})).open(f"{endpoint}/_fairway/{page}", timeout=10) as reply:
        return json.load(reply)


def local_endpoint(folder: Path) -> str:
    """Address of the project's local AWS. It must answer, since a killed one leaves its server.json behind, and serve
    this very state: where it was, another project's may answer by now.
    """
    state = state_folder(folder)
    try:
        endpoint = json.loads((state / "server.json").read_text())["endpoint"]
        health = ask_local(endpoint, "health")
        runs = state.samefile(health["state"])
    except (OSError, ValueError, KeyError):
        runs = False
    if not runs:
        raise Refused("not_running", "the local AWS of this project is not running; start it with `fairway up`")
    if health["failure"]:
        raise Failed("not_written", f"the local AWS answers nothing: {health['failure']}; make room, then try again")
    return endpoint
