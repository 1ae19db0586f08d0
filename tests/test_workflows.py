"""What CI may do, and whose code it runs: a workflow holds more rights than anybody who works here."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from domain.config.sections import stages

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(workflow: Path) -> dict[str, dict]:
    return yaml.safe_load(workflow.read_text())["jobs"]


def steps(workflow: Path) -> list[dict]:
    return [step for job in jobs(workflow).values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_an_action_is_named_by_its_commit_which_nobody_can_move(workflow):
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used and all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_what_somebody_typed_is_never_part_of_a_command(workflow):
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_what_is_checked_out_holds_no_token(workflow):
    checkouts = [step["with"] for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(jobs(workflow))
    assert {options["persist-credentials"] for options in checkouts} == {False}


def test_each_workflow_has_the_permissions_it_needs_and_says_so():
    assert {file.stem: yaml.safe_load(file.read_text())["permissions"] for file in WORKFLOWS} == {
        "audit": {"contents": "read"},
        "ci": {"contents": "read"},
        "cost": {"contents": "read", "pull-requests": "write"},
        "deploy": {"contents": "read", "id-token": "write"},
        "fuzz": {"contents": "read"},
    }


def test_the_stages_that_can_be_deployed_are_those_of_the_project():
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    (inputs,) = [trigger["workflow_dispatch"]["inputs"] for key, trigger in workflow.items() if key in ("on", True)]
    assert inputs["stage"]["options"] == stages(ROOT)
    assert workflow["concurrency"]["cancel-in-progress"] is False


# ---- the role that a deployment assumes


class Template(yaml.SafeLoader):
    """CloudFormation's YAML: !Sub and its kin give what they are given."""


Template.add_multi_constructor("!", lambda loader, tag, node: value_of(loader, node))


def value_of(loader, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node, deep=True)


@pytest.fixture
def role() -> dict:
    template = yaml.load((ROOT / ".github/deploy-role.yaml").read_text(), Template)
    return template["Resources"]["DeployRole"]["Properties"]


def patterns(role: dict, repository: str, stage: str) -> list[str]:
    """What the role's trust says of a token's subject, its parameters put in."""
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"]["StringEquals"] == {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
    owner, _, name = repository.partition("/")
    values = {"Repository": repository, "Stage": stage, "Owner": owner, "Name": name}
    subjects = trust["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
    texts = [each if isinstance(each, str) else each[0] for each in subjects]
    return [re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text) for text in texts]


@pytest.mark.parametrize(
    ("subject", "trusted"),
    [
        ("repo:octo-org/shop:environment:dev", True),
        ("repo:octo-org@123456/shop@456789:environment:dev", True),  # as GitHub writes it since July 2026
        ("repo:octo-org@123456/shop@456789:environment:prod", False),
        ("repo:octo-org@123456/another@1:environment:dev", False),
        ("repo:octo-orgs@1/shop@2:environment:dev", False),
        ("repo:somebody/octo-org:environment:dev", False),
        ("repo:octo-org/shop:ref:refs/heads/main", False),
    ],
)
def test_only_this_repository_s_environment_of_the_stage_may_deploy_it(role, subject, trusted):
    found = [pattern for pattern in patterns(role, "octo-org/shop", "dev") if fnmatchcase(subject, pattern)]
    assert bool(found) is trusted


def test_a_deployment_may_become_the_cdk_s_own_roles_push_the_stage_s_image_and_find_the_stage(role):
    (policy,) = role["Policies"]
    become, log_in, push, read, contracts = policy["PolicyDocument"]["Statement"]
    assert contracts["Action"] == "dynamodb:GetItem"
    assert contracts["Resource"].endswith(":table/${Project}-${Stage}-routing")
    here = "${AWS::AccountId}-${AWS::Region}"
    assert (become["Action"], [arn.rpartition(":role/")[2] for arn in become["Resource"]]) == (
        "sts:AssumeRole",
        [f"cdk-${{Qualifier}}-{name}-role-{here}" for name in ("deploy", "file-publishing", "lookup")],
    )
    assert (log_in["Action"], log_in["Resource"]) == ("ecr:GetAuthorizationToken", "*")
    assert push["Resource"].endswith(":repository/${Project}-${Stage}")
    assert (read["Action"], [arn.partition(":parameter/")[2] for arn in read["Resource"]]) == (
        "ssm:GetParameter",
        ["cdk-bootstrap/${Qualifier}/version", "fairway/${Project}/${Stage}"],
    )
    assert {"ecr:DescribeImages", "ecr:PutImage", "ecr:UploadLayerPart"} <= set(push["Action"])
    assert not any("*" in action or "Delete" in action for action in push["Action"])


def test_what_a_deployment_asks_of_the_registry_the_role_may(role):
    asked = set(re.findall(r"\becr\.([a-z]+_[a-z_]+)\(", (ROOT / "fairway/deploy/deployment.py").read_text()))
    allowed = {
        action
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }
    assert asked == {"describe_images", "get_authorization_token"}
    assert {"ecr:" + "".join(word.title() for word in call.split("_")) for call in asked} <= allowed


def listed(value) -> list:
    return value if isinstance(value, list) else [value]
