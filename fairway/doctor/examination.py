"""Run every check of a stage separately: one without permission reports so, and the others continue."""

from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from domain.config.sections import Config
from fairway.deploy.target import Target, settings_of, target_of
from fairway.doctor.account import bootstrapped, cost_tag, email, github, images
from fairway.doctor.finding import Finding, State
from fairway.doctor.machine import engine
from fairway.doctor.quotas import quotas
from fairway.terminal.errors import Refused

Check = Callable[[Target], list[Finding]]
CHECKS: dict[str, Check] = {
    "bootstrap": bootstrapped,
    "quota": quotas,
    "cost tag": cost_tag,
    "email": email,
    "image": images,
    "github": github,
}
SIGN_IN = "`aws configure sso`, or AWS_PROFILE"


def examine(folder: Path, stage: str, *, tell: Callable[[str], None]) -> list[Finding]:
    """Check this machine, then the account. Raises ConfigError for wrong settings."""
    config = settings_of(folder, stage)
    tell("Looking for docker or podman")
    found = [engine()]
    tell("Asking AWS who is calling")
    try:
        target = target_of(folder, stage)
    except Refused as error:
        return [
            *found,
            Finding("account", State.PROBLEM, str(error)),
            *_not_looked_at("these belong to another account"),
        ]
    except (BotoCoreError, ClientError) as error:
        reason = f"no usable credentials: {error}"
        return [*found, Finding("account", State.UNKNOWN, reason, SIGN_IN), *_not_looked_at("no credentials")]
    found.append(_account(target, config))
    for name, check in CHECKS.items():
        tell(f"Looking at {name}")
        found += look(name, check, target)
    return found


def _account(target: Target, config: Config) -> Finding:
    message = f"account {target.account}, region {target.region}"
    if config.target.account:
        return Finding("account", State.FINE, f"{message}, as fairway.toml has it")
    mend = f'account = "{target.account}" in [stages.{config.stage}] of fairway.toml refuses all others'
    return Finding("account", State.FINE, f"{message}; fairway.toml names none", mend)


def _not_looked_at(why: str) -> list[Finding]:
    return [Finding(name, State.UNKNOWN, f"not checked: {why}") for name in CHECKS]


def look(name: str, check: Check, target: Target) -> list[Finding]:
    """Return the finding of a check; if AWS refuses to answer, report that."""
    try:
        return check(target)
    except ClientError as error:
        said = error.response["Error"]
        why = f"not checked: AWS refused {error.operation_name}: {said.get('Code')}"
        return [Finding(name, State.UNKNOWN, why, f"permission to call {error.operation_name}, or another caller")]
    except BotoCoreError as error:
        return [Finding(name, State.UNKNOWN, f"not checked: {error}")]
