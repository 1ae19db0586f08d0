"""`make deploy STAGE=dev`: the data stack, then the image into its repository, then the service stack that runs it.

The order matters once: the repository is in the data stack, and the service refers to the image by its tag. A tag
stands for its sources and never changes, so an image that is there already is not built again.
"""

import argparse
import base64
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domain.config.sections import LOCAL, Config, ConfigError, read_config, stages  # noqa: E402
from infra.parts.image import BASE_IMAGE, image_tag  # noqa: E402
from scripts import image  # noqa: E402


class DeployRefused(Exception):
    """The stage cannot be deployed like this; the message says why and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage")
    parser.add_argument("--project", type=Path, default=ROOT, help="the folder of fairway.toml")
    parser.add_argument(
        "--base",
        default=BASE_IMAGE,
        help="the image's base, NAME:TAG@sha256:...; NAME:TAG stands for the digest it has now",
    )
    arguments = parser.parse_args()
    try:
        config = stage_of(arguments.project, arguments.stage)
        import boto3

        session = boto3.Session(region_name=config.target.region)
        refuse_other_account(config, session.client("sts").get_caller_identity()["Account"])
        deploy(config, project=arguments.project, base=arguments.base, ecr=session.client("ecr"))
    except (ConfigError, DeployRefused, image.NoEngine, image.NoDigest) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd[0]} ended with {error.returncode}; what it said is above", file=sys.stderr)
        return 1
    return 0


def stage_of(project: Path, stage: str) -> Config:
    if stage == LOCAL:
        raise DeployRefused("stage local is this machine's; `fairway up` deploys it")
    if stage not in stages(project):
        raise DeployRefused(f"stage {stage!r} is not in fairway.toml; it has {', '.join(stages(project))}")
    return read_config(project, stage)


def refuse_other_account(config: Config, account: str) -> None:
    if config.target.account and config.target.account != account:
        wanted = f"stage {config.stage} belongs to account {config.target.account}"
        raise DeployRefused(f"{wanted}, the credentials here are of {account}; use others")


def deploy(config: Config, *, project: Path, base: str, ecr, run=subprocess.run, find=image.engine_here) -> None:
    base = image.pinned(base, find=find, run=run)
    print(f"the image's base is {base}")
    tag = image_tag(base=base)

    def cdk(stack: str) -> None:
        context = ["-c", f"stage={config.stage}", "-c", f"project={project.resolve()}", "-c", f"image_tag={tag}"]
        run(
            [*cdk_command(), "deploy", f"{config.prefix}-{stack}", "--require-approval", "never", *context],
            cwd=ROOT,
            check=True,
        )

    cdk("data")
    ship(config.prefix, tag, base=base, ecr=ecr, run=run, find=find)
    cdk("service")


def ship(repository: str, tag: str, *, base: str, ecr, run, find) -> None:
    """The image into the repository, unless it is there."""
    if is_there(ecr, repository, tag):
        return print(f"image {repository}:{tag} is in the repository already")
    engine = find()
    registry = log_in(engine, ecr, run)
    name = f"{registry}/{repository}:{tag}"
    image.build(engine, name, base=base, run=run)
    print("\n".join(image.layers(engine, name, run=run)))
    run([engine, "push", name], check=True)
    if not is_there(ecr, repository, tag):
        raise DeployRefused(f"image {repository}:{tag} was pushed, and the repository does not list it; deploy again")


def is_there(ecr, repository: str, tag: str) -> bool:
    """Whether the repository has the image; raise DeployRefused for one that SageMaker would refuse.

    A tag never changes what it stands for, so an image of other media types must be deleted before it is built anew.
    """
    try:
        (found,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return False
    kind = found.get("imageManifestMediaType")
    if kind != image.MANIFEST:
        mend = f"aws ecr batch-delete-image --repository-name {repository} --image-ids imageTag={tag}"
        region = ecr.meta.region_name
        raise DeployRefused(
            f"image {repository}:{tag}: manifest media type = {kind}: must be {image.MANIFEST}, the only one that "
            f"SageMaker takes; delete it with `{mend} --region {region}`, then deploy again"
        )
    return True


def log_in(engine: str, ecr, run) -> str:
    """The registry's host; the password, good for twelve hours, goes by standard input and is in no argument list."""
    (given,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    registry = given["proxyEndpoint"].removeprefix("https://")
    run([engine, "login", "--username", user, "--password-stdin", registry], input=password, text=True, check=True)
    return registry


def cdk_command() -> list[str]:
    from local.cdk import command  # the CDK of package-lock.json on the Node of uv.lock, as for the local stage

    return command()


if __name__ == "__main__":
    sys.exit(main())
