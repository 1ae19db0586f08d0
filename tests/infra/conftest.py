"""The app's templates, synthesised once for the session: with every compliance check, and in the other ways it can be
set.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import infra  # noqa: E402, F401 - before aws_cdk, which needs the Node that it names

TAG = "0123456789ab"
LONGEST_PROJECT, LONGEST_STAGE = "p" * 24, "s" * 12


def synthesise(out: Path, *, validated: bool = False, **context) -> Path:
    """What `cdk synth -c ...` writes, without the command line. CDK's own template validation takes seconds."""
    from aws_cdk import App

    import app

    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    cdk_app = App(
        outdir=str(out),
        context={**flags, "image_tag": TAG, **context},
        analytics_reporting=False,
        builtin_cloud_formation_validation=validated,
    )
    app.build(cdk_app)
    cdk_app.synth()
    return out


def template(assembly: Path, stack: str) -> dict:
    return json.loads((assembly / f"{stack}.template.json").read_text())


@pytest.fixture(scope="session")
def prod(tmp_path_factory) -> Path:
    """The production stage, checked by cdk-nag's AwsSolutions and Serverless packs and by CDK's own template
    validation.
    """
    return synthesise(tmp_path_factory.mktemp("prod"), validated=True, stage="prod", nag="true")


@pytest.fixture(scope="session")
def data(prod) -> dict:
    return template(prod, "flights-prod-data")


@pytest.fixture(scope="session")
def service(prod) -> dict:
    return template(prod, "flights-prod-service")


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Path:
    return synthesise(tmp_path_factory.mktemp("local"), stage="local")


@pytest.fixture(scope="session")
def always_on(tmp_path_factory) -> dict:
    """A project whose endpoints are instances in office hours, which trains on demand and without Spot, and has
    to pay.
    """
    changes = {
        'mode = "serverless"': (
            'mode = "instance"\ninstances = 2\noffice_hours = "mon-fri 07:00-19:00 Europe/Berlin"\noutside = "wake"'
        ),
        "[budget]": "[budget]\nrequire_positive_value = true\nanomaly_usd = 10.0",
        "spot = true": "spot = false",
        'approve = "auto"': 'approve = "auto"\ncanary = [5, 25, 50]\nreplay_days = 7',
        "[stages.dev]": (
            '[stages.test]\nmonitoring.email = "ops@example.com"\nmonitoring.schedule = "off"\n'
            'training.schedule = "off"\n'
            'batch.schedule = "off"\n\n[stages.dev]'
        ),
    }
    project = project_with(tmp_path_factory.mktemp("project"), changes)
    assembly = synthesise(
        tmp_path_factory.mktemp("always_on"), validated=True, project=project, stage="test", nag="true"
    )
    return {name: template(assembly, f"flights-test-{name}") for name in ("data", "service")}


@pytest.fixture(scope="session")
def longest(tmp_path_factory) -> dict:
    """The service of a project and a stage with the longest names there can be, which trains for as long as it may, and
    replays what prod captured.
    """
    changes = {
        'name = "flights"': f'name = "{LONGEST_PROJECT}"',
        "spot = true": "spot = true\nmax_runtime_minutes = 1440",
        "[stages.dev]": (f'[stages.{LONGEST_STAGE}.release]\nreplay_days = 7\nreplay_from = "prod"\n\n[stages.dev]'),
    }
    project = project_with(tmp_path_factory.mktemp("project"), changes)
    assembly = synthesise(
        tmp_path_factory.mktemp("longest"), validated=True, project=project, stage=LONGEST_STAGE, nag="true"
    )
    return template(assembly, f"{LONGEST_PROJECT}-{LONGEST_STAGE}-service")


def project_with(folder: Path, changes: dict[str, str]) -> str:
    """The reference project, with some lines of its settings changed."""
    shutil.copytree(ROOT / "flights", folder / "flights", ignore=shutil.ignore_patterns("*.py"))
    text = (ROOT / "fairway.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "fairway.toml").write_text(text)
    return str(folder)
