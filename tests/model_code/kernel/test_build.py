"""Building the kernel where it will run: with a compiler it is compiled, without one that is said in a line."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_without_a_compiler_the_build_says_what_to_install(tmp_path):
    command = [sys.executable, "-m", "model_code.kernel.build", "--out", tmp_path]
    settings = {name: value for name, value in os.environ.items() if name != "CXX"} | {"PATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=settings, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("the kernel was not built: no C++ compiler: install g++ or clang++, or set CXX")
    assert list(tmp_path.iterdir()) == []
