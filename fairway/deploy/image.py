"""The container image, built with docker or podman on a base with a digest."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from fairway.deploy.programs import Programs
from fairway.terminal.errors import Failed, Refused
from infra.parts.image import BASE_IMAGE

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "linux/amd64"  # platform of the SageMaker instances
ENGINES = ("docker", "podman")
# SageMaker accepts images of Docker's own media types only: not OCI's ("Unsupported manifest media type"), and no index
# of image and provenance. Also, an OCI image has no health check. BuildKit writes OCI images since 0.31, in this
# exporter too, unless it is told not to.
BUILD = {
    "docker": ("buildx", "build", "--provenance=false", "--output", "type=docker,oci-mediatypes=false"),
    "podman": ("build", "--format", "docker"),
}
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PLATFORMS_OF = {"docker": ("buildx", "imagetools", "inspect", "--raw"), "podman": ("manifest", "inspect")}

FindEngine = Callable[[], str]


class _Listed(TypedDict, total=False):
    """One image in a list of platforms."""

    digest: str
    platform: dict[str, str]


def engine_here(works: Callable[[str], bool] | None = None) -> str:
    """Return docker or podman, whichever answers. Failed if neither does."""
    engine = next(filter(works or answers, ENGINES), None)
    if engine is None:
        raise Failed(
            "no_engine", "neither docker nor podman answers here; install or start one of them to build the image"
        )
    return engine


def answers(engine: str) -> bool:
    """Return whether the engine is installed and its service runs."""
    return bool(shutil.which(engine)) and subprocess.run([engine, "info"], capture_output=True).returncode == 0


def pinned(base: str, *, programs: Programs, find: FindEngine = engine_here) -> str:
    """Return NAME:TAG@sha256:... for NAME:TAG, as its registry has it now.

    A tag moves on, but the image must stand for its base. A base with a digest is not looked up, which needs no engine.
    """
    if "@" in base:
        return _checked_digest(base)
    engine = find()
    try:
        listed = json.loads(programs.ask(engine, *PLATFORMS_OF[engine], base)).get("manifests", [])
    except Failed as error:
        raise Failed(
            "base", f"{error}; if the registry does not answer, give the digest: --base {base}@sha256:..."
        ) from None
    digest = next((one["digest"] for one in listed if _platform_of(one) == PLATFORM), None)
    if digest is None:
        raise Refused(
            "base", f"base {base!r}: no list of platforms with {PLATFORM}; give its digest, --base {base}@sha256:..."
        )
    return _checked_digest(f"{base}@{digest}")


def _checked_digest(base: str) -> str:
    if not re.fullmatch(r"[^@\s]+@sha256:[0-9a-f]{64}", base):
        raise Refused(
            "base", f"base {base!r}: a digest must be sha256: and 64 hex digits, as in {BASE_IMAGE}@sha256:..."
        )
    return base


def _platform_of(listed: _Listed) -> str:
    platform = listed.get("platform", {})
    return f"{platform.get('os', '')}/{platform.get('architecture', '')}"


def build(engine: str, name: str, *, base: str, programs: Programs, target: str = "sagemaker") -> None:
    """Build the image from this repository's sources, with this name."""
    where = ["--file", "model_code/Dockerfile", "--target", target, "--platform", PLATFORM]
    words = [engine, *BUILD[engine], *where, "--build-arg", f"BASE_IMAGE={base}", "--tag", name, "."]
    programs.do(f"{engine} build", words, folder=ROOT)


def layers(engine: str, name: str, programs: Programs) -> list[str]:
    """Return one line for each layer with content, the newest first, and one for the whole image."""
    found = programs.ask(engine, "history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", name)
    told = [line.split("\t", 1) for line in found.splitlines()]
    lines = [f"{size:>10}  {_made_by(how)}" for size, how in told if not size.strip().startswith("0")]
    whole = programs.ask(engine, "image", "inspect", "--format", "{{.Size}}", name)
    return [*lines, f"{int(whole) / 1e6:>8.0f}MB  {name}, all of it"]


def _made_by(instruction: str) -> str:
    made = re.sub(r"dir:[0-9a-f]{64} in ", "", instruction.removeprefix("/bin/sh -c #(nop) "))
    return " ".join(made.split())[:100]
