"""Checks of this machine: an engine that builds the container image."""

import subprocess
from collections.abc import Callable

from fairway.deploy.image import BUILD, engine_here
from fairway.doctor.finding import Finding, State
from fairway.terminal.errors import Failed

CHECK = "engine"


def _has_its_builder(name: str) -> bool:
    """Return whether docker has buildx; podman needs no extension."""
    words = [name, BUILD[name][0], "version"] if name == "docker" else [name, "--version"]
    return subprocess.run(words, capture_output=True).returncode == 0


def engine(find: Callable[[], str] = engine_here, builds: Callable[[str], bool] = _has_its_builder) -> Finding:
    """Check for docker or podman, and for docker's builder that `fairway deploy` uses."""
    try:
        name = find()
    except Failed as error:
        page = "https://docs.docker.com/engine/install/ or https://podman.io/docs/installation"
        return Finding(CHECK, State.PROBLEM, f"{error}, unless its image is in the repository already", page)
    if not builds(name):
        page = "https://docs.docker.com/build/concepts/overview/"
        return Finding(CHECK, State.PROBLEM, f"{name} has no {BUILD[name][0]}, which builds the image", page)
    return Finding(CHECK, State.FINE, f"{name} builds the image")
