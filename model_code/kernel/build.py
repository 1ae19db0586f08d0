"""`python -m model_code.kernel.build`: compile the kernel next to its sources with the available compiler.

The wheel (pyproject.toml) compiles it with the same `flags.txt`. Without a compiler only speed is lost.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

_SOURCES = Path(__file__).parent
# A response file, which g++ and clang++ read. No fused multiply-add: each product and sum is rounded by itself, as
# in scikit-learn, so results agree to the last bit.
FLAGS = [f"@{_SOURCES / 'flags.txt'}"]
SANITIZERS = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
    "-g1",
    "-O0",
    "-DFAIRWAY_SANITIZED",
]


def compiler() -> str | None:
    programs = filter(None, [os.environ.get("CXX"), "g++", "clang++", "c++"])
    return next(filter(None, map(shutil.which, programs)), None)


def build(folder: Path = _SOURCES, *, extra: Sequence[str] = ()) -> Path:
    """Compile the module into the folder and return its path. Raises FileNotFoundError without a compiler."""
    program = compiler()
    if program is None:
        raise FileNotFoundError(
            "no C++ compiler: install g++ or clang++, or set CXX; until then numpy executes the plans"
        )
    out = Path(folder) / f"_kernel{sysconfig.get_config_var('EXT_SUFFIX')}"
    # written aside and moved: a process that has the old one open keeps it
    fresh = out.with_suffix(f".{os.getpid()}.tmp")
    include = ["-I", sysconfig.get_path("include")]
    subprocess.run(
        [program, *FLAGS, *extra, "-shared", "-fPIC", *include, str(_SOURCES / "module.cpp"), "-o", str(fresh)],
        check=True,
    )
    fresh.replace(out)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="compiles the kernel beside its sources")
    parser.add_argument(
        "--sanitize", action="store_true", help="with address and undefined-behaviour checks, for tests"
    )
    parser.add_argument("--out", type=Path, default=_SOURCES, help="the folder to put it in")
    arguments = parser.parse_args()
    try:
        print(build(arguments.out, extra=SANITIZERS if arguments.sanitize else ()))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"the kernel was not built: {error}")


if __name__ == "__main__":
    main()
