"""`make image`: the container image, built with docker or podman on a base named by its digest, and how large each
layer is.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from infra.parts.image import BASE_IMAGE, image_tag  # noqa: E402

PLATFORM = "linux/amd64"  # of the instances that SageMaker runs it on
ENGINES = ("docker", "podman")
# SageMaker takes an image of Docker's own media types: not OCI's, of which it says "Unsupported manifest media type",
# nor an index of image and provenance. And an OCI image has no health check. BuildKit writes OCI's since 0.31, for this
# exporter too, unless it is told not to.
BUILD = {
    "docker": ("buildx", "build", "--provenance=false", "--output", "type=docker,oci-mediatypes=false"),
    "podman": ("build", "--format", "docker"),
}
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PLATFORMS_OF = {"docker": ("buildx", "imagetools", "inspect", "--raw"), "podman": ("manifest", "inspect")}


class NoEngine(Exception):
    """Nothing on this machine builds containers; the message says what would."""


class NoDigest(Exception):
    """The base image has no digest that could be found out; the message says how to give it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--base",
        default=BASE_IMAGE,
        help="the base image, NAME:TAG@sha256:...; NAME:TAG stands for the digest it has now",
    )
    parser.add_argument("--target", default="sagemaker", choices=("sagemaker", "standalone"))
    arguments = parser.parse_args()
    try:
        engine, base = engine_here(), pinned(arguments.base)
        name = f"fairway:{image_tag(base=base)}"
        build(engine, name, base=base, target=arguments.target)
        print("\n".join([f"the base is {base}", *layers(engine, name)]))
    except (NoEngine, NoDigest) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd[0]} ended with {error.returncode}; what it said is above", file=sys.stderr)
        return 1
    return 0


def engine_here(works=None) -> str:
    """docker or podman, whichever is there and answers."""
    engine = next(filter(works or answers, ENGINES), None)
    if engine is None:
        raise NoEngine("neither docker nor podman answers here; install or start one of them to build the image")
    return engine


def answers(engine: str) -> bool:
    return bool(shutil.which(engine)) and subprocess.run([engine, "info"], capture_output=True).returncode == 0


def pinned(base: str, *, find=None, run=subprocess.run) -> str:
    """NAME:TAG@sha256:... for NAME:TAG, by its registry: a tag moves on, and the image's own stands for what it is
    built on. A base that comes with its digest is not looked up, which needs no engine.
    """
    if "@" in base:
        return checked_digest(base)
    engine = (find or engine_here)()
    try:
        listed = json.loads(told(run, engine, *PLATFORMS_OF[engine], base)).get("manifests", [])
    except subprocess.CalledProcessError:
        raise NoDigest(f"{engine} does not say which digest {base} has; give it, BASE={base}@sha256:...") from None
    digest = next((one["digest"] for one in listed if platform_of(one) == PLATFORM), None)
    if digest is None:
        raise NoDigest(f"{base} is no list of platforms with {PLATFORM} in it; give its digest, BASE={base}@sha256:...")
    return checked_digest(f"{base}@{digest}")


def checked_digest(base: str) -> str:
    if not re.fullmatch(r"[^@\s]+@sha256:[0-9a-f]{64}", base):
        raise NoDigest(f"base {base!r}: a digest is sha256: and 64 hex digits, as in {BASE_IMAGE}@sha256:...")
    return base


def platform_of(listed: dict) -> str:
    return "{os}/{architecture}".format(**{"os": "", "architecture": "", **listed.get("platform", {})})


def build(engine: str, name: str, *, base: str, target: str = "sagemaker", run=subprocess.run) -> None:
    where = ["--file", "model_code/Dockerfile", "--target", target, "--platform", PLATFORM]
    run([engine, *BUILD[engine], *where, "--build-arg", f"BASE_IMAGE={base}", "--tag", name, "."], cwd=ROOT, check=True)


def told(run, *words: str) -> str:
    """What a command prints; what it has to complain about goes to the terminal."""
    return run([*words], check=True, stdout=subprocess.PIPE, text=True).stdout


def layers(engine: str, name: str, run=subprocess.run) -> list[str]:
    """One line for each layer that holds something, the last made first, and one for the whole."""
    found = told(run, engine, "history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", name)
    said = [line.split("\t", 1) for line in found.splitlines()]
    lines = [f"{size:>10}  {words(made)}" for size, made in said if not size.strip().startswith("0")]
    whole = told(run, engine, "image", "inspect", "--format", "{{.Size}}", name)
    return [*lines, f"{int(whole) / 1e6:>8.0f}MB  {name}, all of it"]


def words(made_by: str) -> str:
    made = re.sub(r"dir:[0-9a-f]{64} in ", "", made_by.removeprefix("/bin/sh -c #(nop) "))
    return " ".join(made.split())[:100]


if __name__ == "__main__":
    sys.exit(main())
