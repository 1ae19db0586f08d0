"""`make image`: only build the container image, and print how large each of its layers is."""

import argparse
import sys
import tempfile
from pathlib import Path

from fairway.deploy.image import build, engine_here, layers, pinned
from fairway.deploy.programs import Logged
from fairway.terminal.errors import FairwayError
from infra.parts.image import BASE_IMAGE, image_tag


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fairway.deploy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--base",
        default=BASE_IMAGE,
        help="the base image, NAME:TAG@sha256:...; for NAME:TAG the current digest is looked up",
    )
    parser.add_argument("--target", default="sagemaker", choices=("sagemaker", "standalone"))
    arguments = parser.parse_args()
    programs = Logged(Path(tempfile.gettempdir()) / "fairway-image.log", print, {})
    try:
        engine, base = engine_here(), pinned(arguments.base, programs=programs)
        name = f"fairway:{image_tag(base=base)}"
        build(engine, name, base=base, programs=programs, target=arguments.target)
        print("\n".join([f"the base is {base}", *layers(engine, name, programs)]))
    except FairwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
