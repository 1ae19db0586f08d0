"""`make image`: the container image, built with docker or podman, and how large each of its layers is."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from infra.image import BASE_IMAGE, image_tag  # noqa: E402

PLATFORM = "linux/amd64"  # of the instances that SageMaker runs it on
ENGINES = ("docker", "podman")


class NoEngine(Exception):
    """Nothing on this machine builds containers; the message says what would."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE_IMAGE, help="the base image; pin it by digest for production")
    parser.add_argument("--target", default="sagemaker", choices=("sagemaker", "standalone"))
    arguments = parser.parse_args()
    name = f"fairway:{image_tag(base=arguments.base)}"
    try:
        engine = engine_here()
        build(engine, name, base=arguments.base, target=arguments.target)
        print("\n".join(layers(engine, name)))
    except NoEngine as error:
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


def build(engine: str, name: str, *, base: str, target: str = "sagemaker", run=subprocess.run) -> None:
    where = ["--file", "model_code/Dockerfile", "--target", target, "--platform", PLATFORM]
    run([engine, "build", *where, "--build-arg", f"BASE_IMAGE={base}", "--tag", name, "."], cwd=ROOT, check=True)


def layers(engine: str, name: str, run=subprocess.run) -> list[str]:
    """One line for each layer that holds something, the last made first, and one for the whole."""
    asked = [engine, "history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", name]
    found = run(asked, check=True, capture_output=True, text=True).stdout.splitlines()
    said = [line.split("\t", 1) for line in found]
    lines = [f"{size:>10}  {words(made)}" for size, made in said if not size.strip().startswith("0")]
    whole = run([engine, "image", "inspect", "--format", "{{.Size}}", name], check=True, capture_output=True, text=True).stdout
    return [*lines, f"{int(whole) / 1e6:>8.0f}MB  {name}, all of it"]


def words(made_by: str) -> str:
    return " ".join(made_by.removeprefix("/bin/sh -c #(nop) ").split())[:100]


if __name__ == "__main__":
    sys.exit(main())
