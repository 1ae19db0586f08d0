"""Deploy the data stack, then the image to its repository, then the service stack that runs it.

The repository is in the data stack, and the service stack refers to the image by its tag, so the order matters. A tag
identifies its sources and never changes, so an existing image is not built again.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domain.config.sections import Config
from fairway.deploy import cdk, image
from fairway.deploy.programs import Programs
from fairway.deploy.synth import ROOT, synthesise
from fairway.terminal.errors import Failed, Refused
from infra.parts.image import image_tag

Tell = Callable[[str], None]
NO_DIFFERENCE = "Number of stacks with differences: 0"


def deploy(
    config: Config,
    folder: Path,
    *,
    base: str,
    ecr: Any,
    programs: Programs,
    tell: Tell,
    find: image.FindEngine = image.engine_here,
    synth: Callable[..., Path] = synthesise,
) -> str:
    """Deploy both stacks and the image between them; return the image's tag."""
    base = image.pinned(base, programs=programs, find=find)
    tag = image_tag(base=base)
    tell(f"Building the templates of {config.prefix}, for an image on {base}")
    assembly = synth(folder, config.stage, deployable=True, image_tag=tag)

    def stack(name: str) -> None:
        tell(f"Deploying {config.prefix}-{name}")
        words = ["deploy", f"{config.prefix}-{name}", "--exclusively", "--app", str(assembly)]
        cdk.run(programs, *words, "--require-approval", "never", folder=assembly)

    stack("data")
    _ship(config.prefix, tag, base=base, ecr=ecr, programs=programs, tell=tell, find=find)
    stack("service")
    return tag


def differences(
    config: Config,
    folder: Path,
    *,
    base: str,
    programs: Programs,
    tell: Tell,
    find: image.FindEngine = image.engine_here,
    synth: Callable[..., Path] = synthesise,
) -> tuple[bool, list[str]]:
    """Return whether a deployment would change anything, and the CDK's lines about what."""
    tag = image_tag(base=image.pinned(base, programs=programs, find=find))
    tell(f"Building the templates of {config.prefix}")
    assembly = synth(folder, config.stage, deployable=True, image_tag=tag)
    tell(f"Comparing with what is deployed of {config.prefix}")
    told = cdk.run(programs, "diff", "--app", str(assembly), folder=assembly)
    lines = told.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("Stack ")), 0)
    return NO_DIFFERENCE not in told, lines[first:]


def _ship(
    repository: str, tag: str, *, base: str, ecr: Any, programs: Programs, tell: Tell, find: image.FindEngine
) -> None:
    """Build the image and push it to the repository, unless it is there."""
    if is_there(ecr, repository, tag):
        return tell(f"Image {repository}:{tag} is in the repository already")
    engine = find()
    registry = _log_in(engine, ecr, programs)
    name = f"{registry}/{repository}:{tag}"
    tell(f"Building image {repository}:{tag} with {engine}")
    image.build(engine, name, base=base, programs=programs)
    tell(f"Pushing image {repository}:{tag}")
    programs.do(f"{engine} push", [engine, "push", name], folder=ROOT)
    if not is_there(ecr, repository, tag):
        raise Failed("image", f"image {repository}:{tag} was pushed, and the repository does not list it; deploy again")


def is_there(ecr: Any, repository: str, tag: str) -> bool:
    """Return whether the repository has the image. Refused for an image that SageMaker would refuse.

    A tag never changes its meaning, so an image of another media type must be deleted before it is built again.
    """
    try:
        (found,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return False
    kind = found.get("imageManifestMediaType")
    if kind != image.MANIFEST:
        mend = f"aws ecr batch-delete-image --repository-name {repository} --image-ids imageTag={tag}"
        raise Refused(
            "image",
            f"image {repository}:{tag}: manifest media type = {kind}: must be {image.MANIFEST}, the only one that "
            f"SageMaker takes; delete it with `{mend} --region {ecr.meta.region_name}`, then deploy again",
        )
    return True


def _log_in(engine: str, ecr: Any, programs: Programs) -> str:
    """Log in and return the registry's host; the password, valid for twelve hours, is passed on standard input only."""
    (given,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    registry: str = given["proxyEndpoint"].removeprefix("https://")
    words = [engine, "login", "--username", user, "--password-stdin", registry]
    programs.do(f"{engine} login", words, folder=ROOT, given=password)
    return registry
