"""`make lint-templates`: authorities other than ours look at every template, policy and state machine of every stage.

cfn-lint at the templates, parliament at the policies, asl-validator at the definitions. Exit 1 where one of them finds
anything that ACCEPTED does not name with its reason. Needs no account.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fairway.deploy.cdk import command
from tests.second_opinion.resolved import Template
from tests.second_opinion.templates import ROOT, build

TOOLS = ROOT / "build" / "second-opinion"
HERE = Path(__file__).parent
# cfn-lint's rules, each with why it is not heeded.
ACCEPTED_RULES = {"W3005": "the CDK writes a DependsOn that a reference implies"}
# Actions whose resource parliament does not know, each with why.
ACCEPTED_ACTIONS = {"states:DescribeExecution": "is for executions of standard machines too, not only of express ones"}


# Wrong on purpose: an authority that finds nothing here has not looked.
PLANTED = "planted"
PLANTED_TEMPLATE = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"NoSuchProperty": 1}}}}
PLANTED_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:NoSuchAction", "Resource": "*"}],
}
PLANTED_DEFINITION = {"StartAt": "Nowhere", "States": {"Here": {"Type": "Succeed"}}}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fairway-opinion-") as folder:
        files = build(Path(folder))
        stacks = list(_stacks(files))
        policies = {where: policy for stack in stacks for where, policy in _policies(stack)}
        definitions = {where: found for stack in stacks for where, found in _definitions(stack)}
        planted = Path(folder) / f"{PLANTED}.template.json"
        planted.write_text(json.dumps(PLANTED_TEMPLATE))
        answers = {
            "cfn-lint": list(_cfn_lint({**files, planted: "us-east-1"})),
            "parliament": list(_parliament({**policies, PLANTED: PLANTED_POLICY})),
            "asl-validator": list(_asl_validator({**definitions, PLANTED: PLANTED_DEFINITION})),
        }
    asleep = [name for name, lines in answers.items() if not any(PLANTED in line for line in lines)]
    if asleep:
        raise SystemExit(f"{', '.join(asleep)}: found nothing in what is wrong on purpose")
    found = [line for lines in answers.values() for line in lines if PLANTED not in line]
    print("\n".join(found))
    print(
        f"{len(files)} templates, {len(policies)} policies and {len(definitions)} state machines in "
        f"{len(set(files.values()))} regions: {len(found)} findings"
    )
    return 1 if found else 0


def _stacks(files: dict[Path, str]) -> Iterator[Template]:
    """Every template; a service with the data stack that it imports from."""
    for file, region in files.items():
        stage, _, stack = file.name.removesuffix(".template.json").rpartition("-")
        data = None if stack == "data" else Template(file.with_name(f"{stage}-data.template.json"), region)
        yield Template(file, region, data)


def _policies(stack: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Identity policies: those are what parliament reads."""
    for id, properties in stack.of_type("AWS::IAM::Policy").items():
        yield f"{stack.name} {id}", stack.value(properties["PolicyDocument"])
    for id, properties in stack.of_type("AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            yield f"{stack.name} {id} {policy['PolicyName']}", stack.value(policy["PolicyDocument"])


def _definitions(stack: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for id, properties in stack.of_type("AWS::StepFunctions::StateMachine").items():
        yield f"{stack.name} {id}", json.loads(stack.value(properties["DefinitionString"]))


def _cfn_lint(files: dict[Path, str]) -> Iterator[str]:
    for region in sorted(set(files.values())):
        templates = [str(file) for file, its in files.items() if its == region]
        words = ["--format", "json", "--regions", region, "--ignore-checks", *ACCEPTED_RULES]
        ran = subprocess.run(
            [str(Path(sys.executable).with_name("cfn-lint")), *words, "--template", *templates],
            capture_output=True,
            text=True,
        )
        if not ran.stdout.strip().startswith("["):
            raise SystemExit(f"cfn-lint: {ran.stderr or ran.stdout}")
        for each in json.loads(ran.stdout):
            place = "/".join(map(str, each["Location"]["Path"] or []))
            yield f"cfn-lint {region} {Path(each['Filename']).name} {each['Rule']['Id']} {place}: {each['Message']}"


def _parliament(policies: dict[str, dict[str, Any]]) -> Iterator[str]:
    words = [str(TOOLS / "python/bin/python"), str(HERE / "policies.py")]
    for where, severity, issue, actions, detail in _asked(words, policies):
        if not actions or set(actions) - set(ACCEPTED_ACTIONS):
            yield f"parliament {where} {severity} {issue}: {detail}"


def _asl_validator(definitions: dict[str, dict[str, Any]]) -> Iterator[str]:
    words = [command()[0], str(HERE / "definitions.js"), str(TOOLS)]
    for where, problem in _asked(words, _without_lines(definitions)):
        yield f"asl-validator {where}: {problem}"


def _without_lines(value: Any) -> Any:
    """Definitions with texts that asl-validator's own pattern for a text takes: of one line, and not empty."""
    if isinstance(value, str):
        return value.replace("\n", " ") or " "
    if isinstance(value, list):
        return [_without_lines(each) for each in value]
    return {key: _without_lines(each) for key, each in value.items()} if isinstance(value, dict) else value


def _asked(words: list[str], question: dict[str, Any]) -> list[list[Any]]:
    ran = subprocess.run(words, input=json.dumps(question), capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{words[0]}: {ran.stderr}")
    answer: list[list[Any]] = json.loads(ran.stdout)
    return answer


if __name__ == "__main__":
    sys.exit(main())
