"""A project of somebody's own on AWS, here the local one: prepared, deployed, compared and removed by the public
commands, from a folder with a space in its name, on a machine without Node, docker or podman.
"""

import json
import os
import subprocess
from pathlib import Path

import boto3
import pytest

from domain.quotas import SERVERLESS_CONCURRENCY
from infra.parts.image import image_tag
from local.profile import root_key
from local.start import start, stop
from tests.journeys.conftest import FAIRWAY, ROOT, write_csv

BASE = f"docker.io/library/python:3.13-slim@sha256:{'ab' * 32}"
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """The environment of somebody with credentials of an account in which nothing is yet."""
    state = tmp_path_factory.mktemp("aws") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRWAY_QUOTAS", '{"training_instances": 1, "processing_instances": 0}')
        server = start(state.parent, 0, state, True)
    key = root_key(state)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    try:
        yield {
            **kept,
            "PATH": "/nowhere",
            "AWS_ENDPOINT_URL": server["endpoint"],
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        stop(state)


@pytest.fixture(scope="module")
def project(tmp_path_factory, account) -> Path:
    folder = tmp_path_factory.mktemp("my projects") / "a shop"
    rows = ([f"c{number}", number % 41, "yes" if number % 41 < 12 else "no"] for number in range(300))
    table = write_csv(folder.parent / "customers.csv", ["customer", "orders", "left"], rows)
    words = ["init", "--data", table, "--target", "left", "--out", folder]
    subprocess.run([str(word) for word in (FAIRWAY, *words)], env=account, check=True, timeout=60)
    settings = folder / "fairway.toml"
    settings.write_text(settings.read_text().replace("[stages.dev]\n", "[stages.dev]\nkeep_data = false\n"))
    return folder


def test_a_project_is_deployed_compared_and_removed_and_fairway_s_own_folder_stays_as_it_is(account, project):
    def fairway(command: str, *words: str) -> tuple[int, dict, str]:
        line = [str(FAIRWAY), command, "--project", str(project), "--stage", "dev", *words, "--json"]
        done = subprocess.run(line, env=account, cwd=project.parent, capture_output=True, text=True, timeout=400)
        return done.returncode, json.loads(done.stdout), done.stderr

    before = left_behind()
    assert looked_at(fairway("doctor")) == {
        "problem": ["bootstrap", "engine", "ml.m5.xlarge for processing job usage"],
        "warning": ["email", "ml.m5.xlarge for spot training job usage"],
        "unknown": [SERVERLESS_CONCURRENCY, "cost tag"],
        "fine": ["Concurrent executions", "account", "github", "image"],
    }
    code, values, _ = fairway("status")
    assert (code, values["error"]) == (2, "not_deployed")
    assert f"`fairway deploy --project '{project}' --stage dev` deploys it" in values["message"]
    code, values, _ = fairway("deploy", "--base", BASE)
    assert (code, values["error"]) == (2, "not_bootstrapped")
    assert f"`fairway bootstrap --project '{project}' --stage dev` does it once" in values["message"]

    code, values, told = fairway("bootstrap")
    assert code == 0, told
    assert (values["account"], values["region"]) == ("000000000000", "us-east-1")
    assert "bootstrap" in looked_at(fairway("doctor"))["fine"]

    code, values, _ = fairway("deploy", "--base", BASE)  # the data stack is there then, and the repository with it
    assert (code, values["error"]) == (1, "no_engine")
    push(account)
    code, deployed, told = fairway("deploy", "--base", BASE)
    assert code == 0, told
    assert deployed["stacks"] == ["a-shop-dev-data", "a-shop-dev-service"]
    code, values, _ = fairway("status")
    assert (code, values["api_url"], values["champion"]) == (0, deployed["api_url"], None)

    code, values, told = fairway("diff", "--base", BASE)
    assert (code, values["differs"]) == (0, False), told

    code, values, told = fairway("destroy", "--yes")
    assert (code, values.get("removed")) == (0, ["a-shop-dev-service", "a-shop-dev-data"]), told
    assert fairway("status")[1]["error"] == "not_deployed"
    assert left_behind() == before


def test_without_credentials_the_doctor_reports_what_it_could_not_look_at(account, project):
    nobody = {name: value for name, value in account.items() if not name.startswith("AWS_ACCESS")}
    line = [str(FAIRWAY), "doctor", "--project", str(project), "--stage", "dev", "--json"]
    done = subprocess.run(line, env=nobody, capture_output=True, text=True, timeout=60)
    assert looked_at((done.returncode, json.loads(done.stdout), "")) == {
        "problem": ["engine"],
        "unknown": ["account", "bootstrap", "cost tag", "email", "github", "image", "quota"],
    }


def looked_at(answer: tuple[int, dict, str]) -> dict[str, list[str]]:
    """{state: what is in it}, a quota by its name. What is wrong makes the exit code 1."""
    code, values, _ = answer
    found: dict[str, list[str]] = {}
    for each in values["findings"]:
        name = each["message"].partition(" = ")[0].partition(":")[0] if "needed" in each["message"] else each["check"]
        found.setdefault(each["state"], []).append(name)
    assert code == (1 if "problem" in found else 0)
    return {state: sorted(names) for state, names in found.items()}


def push(account: dict[str, str]) -> None:
    """The image, as an engine would have left it in the repository."""
    keys = {name.lower(): account[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    ecr = boto3.client("ecr", region_name="us-east-1", endpoint_url=account["AWS_ENDPOINT_URL"], **keys)
    ecr.put_image(repositoryName="a-shop-dev", imageTag=image_tag(base=BASE), imageManifest=MANIFEST)


def left_behind() -> dict[str, float]:
    """{path: when it changed} of what a deployment could leave in Fairway's own folder."""
    names = ("cdk.out", "cdk.context.json", "fairway.toml", ".fairway/aws", "flights/.fairway")
    return {name: (ROOT / name).stat().st_mtime for name in names if (ROOT / name).exists()}
