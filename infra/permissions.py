"""Permissions: a grant names its actions and resources, with a reason if there are many resources."""

from typing import Any, NamedTuple

from aws_cdk import Acknowledgment, Aws, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from domain.config.sections import Config

PSEUDO = {
    Aws.PARTITION: "<AWS::Partition>",
    Aws.REGION: "<AWS::Region>",
    Aws.ACCOUNT_ID: "<AWS::AccountId>",
}


class Many(NamedTuple):
    """Resources that get their names later: ARNs with a *, and the reason. `called` is their name in the checks."""

    arns: list[str]
    because: str
    called: list[str] | None = None


def arn(service: str, resource: str) -> str:
    """Return an ARN in this account and region, for what the stack cannot refer to."""
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def own_stacks(config: Config) -> Many:
    """Return the ARNs of the stage's two stacks, whose templates list what is deployed."""
    arns = [arn("cloudformation", f"stack/{config.prefix}-{name}/*") for name in ("data", "service")]
    return Many(arns, "CloudFormation ends a stack's ARN with an id of its own")


def allow(role: iam.IRole, *actions: str, on: str | list[str] | Many, **conditions: Any) -> None:
    """Allow the role exactly these actions on exactly these resources."""
    if isinstance(on, Many):
        for called in on.called or on.arns:
            accept(role, f"AwsSolutions-IAM5[Resource::{plain(called)}]", on.because)
        on = on.arns
    resources = [on] if isinstance(on, str) else on
    role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=resources, **conditions))


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept a finding of the compliance checks, for this construct only."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def plain(text: str) -> str:
    for token, name in PSEUDO.items():
        text = text.replace(token, name)
    return text
