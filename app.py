"""The CDK app: two stacks for each stage of fairway.toml.

Context: `project` (the folder of fairway.toml; this one), `stage` (one, `local` too; all that live on AWS), `image_tag`
(the hash of the image's sources), `nag` (true: also check cdk-nag's AwsSolutions and Serverless packs), `kernel`
(false: the functions' code is without it, for templates that are only read).
"""

import sys
from pathlib import Path

import infra  # noqa: F401 - before aws_cdk, which needs the Node that it names

# isort: split
from aws_cdk import App, Environment, Tags, Validations

from domain.config.sections import Config, ConfigError, read_config, stages
from domain.contract.file import read_contract
from domain.names import COST_TAG
from infra.parts.function import readable_by_all
from infra.parts.image import ROOT, image_tag
from infra.parts.kernel import KernelMissing
from infra.stacks import DataStack, ServiceStack


def main() -> int:
    app = App(analytics_reporting=False)
    try:
        build(app)
    except (ConfigError, KernelMissing) as error:
        print(error, file=sys.stderr)
        return 2
    publishable(Path(app.synth().directory))
    return 0


def publishable(assembly: Path) -> None:
    """Make copies of the functions' code readable by others: the CDK creates folders by the umask, and zips their
    modes.
    """
    for asset in assembly.glob("asset.*"):
        readable_by_all(asset)


def build(app: App) -> None:
    folder = Path(app.node.try_get_context("project") or ROOT)
    stage = app.node.try_get_context("stage")
    tag = app.node.try_get_context("image_tag") or image_tag()
    for name in [stage] if stage else stages(folder):
        add_stage(app, folder, read_config(folder, name), tag)
    if app.node.try_get_context("nag") in (True, "true"):
        check_compliance(app)


def add_stage(app: App, folder: Path, config: Config, tag: str) -> None:
    contract = read_contract(folder / config.project.contract, config.project.task)
    options = {"env": Environment(account=config.target.account or None, region=config.target.region)}
    data = DataStack(app, f"{config.prefix}-data", config=config, **options)
    service = ServiceStack(
        app, f"{config.prefix}-service", config=config, contract=contract, image_tag=tag, data=data, **options
    )
    for stack in (data, service):
        Tags.of(stack).add(COST_TAG, config.prefix)


def check_compliance(app: App) -> None:
    from cdk_nag import AwsSolutionsChecks, ServerlessChecks  # takes half a second, so only on request

    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


if __name__ == "__main__":
    sys.exit(main())
