"""The workflows that a drafted project gets: pinned as this repository's own, of that project, and valid."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from fairway.draft.ci import BY_VARIABLES, Source, source_here, workflows
from tests.fairway.test_examples import parse

ROOT = Path(__file__).parents[3]
COMMIT = "1" * 40
DRAFTED = workflows("shop", ["dev", "prod"], Source("octo-org/fairway", COMMIT))
YAML = {file: text for file, text in DRAFTED.items() if "/workflows/" in file}


def steps(text: str) -> list[dict]:
    return [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]


def test_a_project_gets_three_workflows_and_the_role_that_deploys_it():
    assert sorted(DRAFTED) == [
        ".github/deploy-role.yaml",
        ".github/workflows/check.yml",
        ".github/workflows/cost.yml",
        ".github/workflows/deploy.yml",
    ]
    assert not [file for file, text in DRAFTED.items() if re.search(r"<[a-z ]+>|flights", text)]
    assert "Project=shop Stage=dev" in DRAFTED[".github/deploy-role.yaml"]


def test_they_name_each_action_by_the_very_commit_that_this_repository_s_own_workflows_name():
    ours = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
    used = {action for text in YAML.values() for action in re.findall(r"uses: (.*)", text)}
    assert len(used) == 3
    assert used <= set(re.findall(r"uses: (.*)", ours))


@pytest.mark.parametrize("file", YAML)
def test_they_hold_no_token_put_nothing_typed_into_a_command_and_take_one_commit_of_fairway(file):
    given = [step["with"] for step in steps(YAML[file]) if step.get("uses", "").startswith("actions/checkout@")]
    assert {options["persist-credentials"] for options in given} == {False}
    (fairway,) = [options for options in given if options["path"] == "fairway"]
    assert (fairway["repository"], fairway["ref"]) == ("octo-org/fairway", COMMIT)
    assert [step["run"] for step in steps(YAML[file]) if "${{" in step.get("run", "")] == []


def test_a_deployment_is_of_a_stage_of_the_project_and_may_assume_a_role():
    workflow = yaml.safe_load(YAML[".github/workflows/deploy.yml"])
    (inputs,) = [trigger["workflow_dispatch"]["inputs"] for key, trigger in workflow.items() if key in ("on", True)]
    assert inputs["stage"]["options"] == ["dev", "prod"]
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert [step["run"] for step in workflow["jobs"]["deploy"]["steps"] if "fairway deploy" in step.get("run", "")] == [
        'fairway/.venv/bin/fairway deploy --project project --stage "$STAGE" --base "$BASE"'
    ]


def test_every_command_of_them_is_taken_by_the_command_line():
    lines = [line for text in YAML.values() for line in re.findall(r"\.venv/bin/(fairway [^>;\n]+)", text)]
    assert len(lines) == 5
    for line in lines:
        parse(line)


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/octo-org/fairway.git",
        "git@github.com:octo-org/fairway.git",
        "https://github.com/octo-org/fairway",
    ],
)
def test_fairway_comes_from_the_clone_s_own_repository_at_its_commit(tmp_path, remote):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "first"],
        ["remote", "add", "origin", remote],
    ):
        subprocess.run([*git, *words], check=True)
    found = source_here(tmp_path)
    assert found.repository == "octo-org/fairway" and re.fullmatch("[0-9a-f]{40}", found.commit)


def test_a_clone_of_nothing_on_github_leaves_both_to_variables(tmp_path):
    assert source_here(tmp_path) == BY_VARIABLES
    assert (
        'repository: "${{ vars.FAIRWAY_REPOSITORY }}"'
        in workflows("shop", ["dev"], BY_VARIABLES)[".github/workflows/check.yml"]
    )
