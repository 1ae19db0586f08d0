"""Where a stage is deployed: its settings, and the account and region that the caller's credentials lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3 import Session
from botocore.exceptions import ClientError

from domain.config.sections import LOCAL, Config, read_config
from domain.contract.file import read_contract
from fairway.terminal.errors import Refused

BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"  # the parameter that `cdk bootstrap` leaves in each region


@dataclass(frozen=True)
class Target:
    """One stage of a project, and a way into the account that it belongs to."""

    folder: Path
    config: Config
    session: Session
    account: str

    @property
    def region(self) -> str:
        return self.config.target.region

    def client(self, service: str) -> Any:
        return self.session.client(service)


def target_of(folder: Path, stage: str) -> Target:
    """Refused for a stage that is not on AWS, and for credentials of another account than the stage's."""
    config = settings_of(folder, stage)
    session = Session(region_name=config.target.region)
    account = session.client("sts").get_caller_identity()["Account"]
    _refuse_other_account(config, account)
    return Target(folder, config, session, account)


def settings_of(folder: Path, stage: str) -> Config:
    """The stage's settings, after its contract was read too."""
    if stage == LOCAL:
        raise Refused("stage", "stage 'local' is this machine's; `fairway up` deploys it")
    config = read_config(folder, stage)
    read_contract(folder / config.project.contract, config.project.task)
    return config


def _refuse_other_account(config: Config, account: str) -> None:
    wanted = config.target.account
    if wanted and wanted != account:
        raise Refused(
            "account",
            f"stages.{config.stage}.account = {wanted}: the credentials here are of {account}; "
            "use others, e.g. by AWS_PROFILE",
        )


def bootstrap_version(target: Target) -> int | None:
    """Version of the CDK's own stack in the region; None where there is none. Raises ClientError where the caller may
    not read it.
    """
    ssm = target.client("ssm")
    try:
        return int(ssm.get_parameter(Name=BOOTSTRAP_VERSION)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None


def refuse_unprepared(target: Target) -> None:
    """Refused where `fairway bootstrap` was never run; who may not know that is let through, as the CDK asks too."""
    try:
        version = bootstrap_version(target)
    except ClientError:
        return
    if version is None:
        raise Refused(
            "not_bootstrapped",
            f"{target.region} of account {target.account} is not prepared for the CDK (no parameter "
            f"{BOOTSTRAP_VERSION}); `fairway bootstrap` does it once",
        )
