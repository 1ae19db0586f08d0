"""`fairway bootstrap`, `deploy`, `diff` and `destroy`: a stage of any project on AWS, from any folder."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.stage.change import Effect, as_records, effects_on, refuse_breaking
from fairway.terminal.command import HERE, Breaking, Json, Project, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Interrupted, Refused
from fairway.terminal.progress import Progress

if TYPE_CHECKING:  # imports the AWS SDK, which help must not load
    from fairway.deploy.programs import Logged

# lazy: fairway.deploy imports the AWS SDK, which help must not load
app = typer.Typer(rich_markup_mode=None)

AwsStage = Annotated[str, typer.Option("--stage", help="A stage of fairway.toml.", metavar="NAME")]
Base = Annotated[
    str | None,
    typer.Option(
        help="Base of the image, NAME:TAG@sha256:...; without a digest, the tag's current one is used.",
        metavar="IMAGE",
    ),
]


@app.command("bootstrap", epilog="Example: fairway bootstrap --stage dev")
def bootstrap_command(
    stage: AwsStage,
    project: Project = HERE,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="ARN of a policy that limits CloudFormation; without it, CloudFormation may do anything.",
            metavar="ARN",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Prepare the stage's account and region for deployments, once."""
    run(
        lambda progress: bootstrap(project, stage, policies=policy or [], progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command("deploy", epilog="Example: fairway deploy --stage dev")
def deploy_command(
    stage: AwsStage, project: Project = HERE, base: Base = None, breaking: Breaking = False, json: Json = False
) -> None:
    """Deploy the project to AWS: data stack, container image, service stack."""
    run(
        lambda progress: deploy(project, stage, base=base, breaking=breaking, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command("diff", epilog="Example: fairway diff --stage prod")
def diff_command(stage: AwsStage, project: Project = HERE, base: Base = None, json: Json = False) -> None:
    """Print what a deployment would change, and what the contract changes for the releases that answer."""
    run(lambda progress: diff(project, stage, base=base, progress=progress), json=json, project=project, stage=stage)


@app.command("destroy", epilog="Example: fairway destroy --stage dev --yes")
def destroy_command(
    stage: AwsStage,
    project: Project = HERE,
    yes: Annotated[
        bool, typer.Option("--yes", help="Destroy the stage; without this, only report what would be lost.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove the stage from AWS, including what CloudFormation would leave behind."""
    run(lambda progress: destroy(project, stage, yes=yes, progress=progress), json=json, project=project, stage=stage)


# lazy imports below: the AWS SDK is not needed for help and refusals


def bootstrap(folder: Path, stage: str, *, policies: list[str], progress: Progress) -> Done:
    from fairway.deploy import cdk
    from fairway.deploy.target import bootstrap_version, target_of

    target = target_of(folder, stage)
    where = f"aws://{target.account}/{target.region}"
    allowed = ["--cloudformation-execution-policies", ",".join(policies)] if policies else []
    with _programs(folder, stage, progress) as programs:
        progress(f"Preparing {target.region} of account {target.account}")
        cdk.run(programs, "bootstrap", where, *allowed, folder=programs.log.parent)
    values = {"stage": stage, "account": target.account, "region": target.region, "version": bootstrap_version(target)}
    return Done(values, [f"{where} is prepared, version {values['version']}"], "`fairway deploy` deploys the stage")


def deploy(folder: Path, stage: str, *, base: str | None, breaking: bool = False, progress: Progress) -> Done:
    """Deploy both stacks and the image. Refused if the contract breaks a release, unless `breaking`."""
    from fairway.deploy import deployment
    from fairway.deploy.target import refuse_unprepared, refuse_without_requests, target_of
    from fairway.stage.aws import connect
    from infra.parts.image import BASE_IMAGE

    target = target_of(folder, stage)
    refuse_unprepared(target)
    refuse_without_requests(target)
    refuse_breaking(folder, stage, confirmed=breaking, command="fairway deploy", progress=progress)
    with _programs(folder, stage, progress) as programs:
        tag = deployment.deploy(
            target.config,
            folder,
            base=base or BASE_IMAGE,
            ecr=target.client("ecr"),
            programs=programs,
            tell=progress,
        )
    addresses = connect(folder, stage).addresses
    values = {
        "stage": stage,
        "account": target.account,
        "region": target.region,
        "stacks": [f"{target.config.prefix}-{name}" for name in ("data", "service")],
        "image_tag": tag,
        "api_url": addresses["api_url"],
    }
    lines = [
        f"{' and '.join(values['stacks'])} are deployed in {target.region} of account {target.account}",
        f"the API: {values['api_url']}",
    ]
    return Done(values, lines, "`fairway load FILE...` loads rows into the lake, `fairway train` trains on them")


def diff(folder: Path, stage: str, *, base: str | None, progress: Progress) -> Done:
    from fairway.deploy import deployment
    from fairway.deploy.target import target_of
    from infra.parts.image import BASE_IMAGE

    target = target_of(folder, stage)
    with _programs(folder, stage, progress) as programs:
        differs, lines = deployment.differences(
            target.config, folder, base=base or BASE_IMAGE, programs=programs, tell=progress
        )
    effects = effects_on(folder, stage)
    values = {"stage": stage, "differs": differs, "differences": lines, "contract": as_records(effects)}
    contract = ["Contract", *(effect.sentence for effect in effects)] if effects else []
    return Done(values, [*lines, *contract], _after_diff(differs, effects))


def _after_diff(differs: bool, effects: list[Effect]) -> str:
    if any(effect.change.breaks for effect in effects):
        return "`fairway deploy` needs --breaking, since the contract breaks a release that answers"
    return "`fairway deploy` applies it" if differs else "`fairway status` shows which release answers"


def destroy(folder: Path, stage: str, *, yes: bool, progress: Progress) -> Done:
    from fairway.deploy.removal import consequences, remove
    from fairway.deploy.target import settings_of, target_of

    lost = consequences(settings_of(folder, stage))
    if not yes:
        raise Refused("not_confirmed", "\n".join([*lost, "nothing was destroyed; `fairway destroy --yes` does it"]))
    target = target_of(folder, stage)
    with _programs(folder, stage, progress) as programs:
        removed = remove(target.config, folder, client=target.client, programs=programs, tell=progress)
    return Done({"stage": stage, "removed": removed}, lost, "`fairway deploy` creates the stage again")


@contextmanager
def _programs(folder: Path, stage: str, progress: Progress) -> Iterator["Logged"]:
    """Return programs that log in the project; after an interruption, what is still running is reported."""
    from fairway.deploy import cdk
    from fairway.deploy.programs import Logged
    from fairway.stage.folder import keep_out_of_git

    def tell(line: str) -> None:
        if done := cdk.resources_done(line):
            progress.detail(done)

    log = keep_out_of_git(folder) / "aws" / f"{stage}.log"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    try:
        yield Logged(log, tell, cdk.environment())
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped; CloudFormation continues what it has begun, and the same command resumes. "
            f"What was done is in {shlex.quote(str(log))}"
        ) from None
