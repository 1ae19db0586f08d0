"""The target of a deployment: a stage's settings, and the account and region of the caller's credentials."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3 import Session
from botocore.exceptions import ClientError

from domain.config.sections import LOCAL, Config, read_config
from domain.contract.file import read_contract
from domain.names import lake_parameter
from fairway.terminal.errors import Refused

BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"  # parameter of the stack of `cdk bootstrap` in each region


@dataclass(frozen=True)
class Target:
    """One stage of a project, and access to its account."""

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
    """Return the target. Refused for a stage that is not on AWS, and for credentials of another account."""
    config = settings_of(folder, stage)
    session = Session(region_name=config.target.region)
    account = session.client("sts").get_caller_identity()["Account"]
    _refuse_other_account(config, account)
    return Target(folder, config, session, account)


def settings_of(folder: Path, stage: str) -> Config:
    """Return the stage's settings, after checking the contract too."""
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
            f"stages.{config.stage}.account = {wanted}: must be the account of the credentials, {account}; "
            "use others, e.g. by AWS_PROFILE",
        )


def bootstrap_version(target: Target) -> int | None:
    """Return the version of the CDK's bootstrap stack in the region; None if there is none.

    Raises ClientError if the caller may not read it.
    """
    ssm = target.client("ssm")
    try:
        return int(ssm.get_parameter(Name=BOOTSTRAP_VERSION)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None


def refuse_without_requests(target: Target) -> None:
    """Refuse release.replay_from of a stage without a lake here; CloudFormation would only name a parameter."""
    config = target.config
    stage = config.release.replay_from
    if not stage:
        return
    ssm = target.client("ssm")
    try:
        ssm.get_parameter(Name=lake_parameter(config.project.name, stage))
    except ssm.exceptions.ParameterNotFound:
        where = f"{target.region} of account {target.account}"
        raise Refused(
            "replay_from",
            f"release.replay_from = {stage!r}: must be a stage with a lake in {where}; "
            f"`fairway deploy --stage {stage}` makes one",
        ) from None


def refuse_unprepared(target: Target) -> None:
    """Refuse an account without `fairway bootstrap`; a caller who may not check it is let through, as the CDK checks
    too.
    """
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
