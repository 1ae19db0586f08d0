"""The image is its sources and nothing of the machine that builds it."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_the_building_machine_compiled_for_itself_is_not_in_the_image(tmp_path):
    for name in ("kernel/module.cpp", "kernel/_kernel.cpython-311-x86_64-linux-gnu.so", "__pycache__/serve.cpython-311.pyc", "serve.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    dockerfile = (ROOT / "model_code/Dockerfile").read_text()
    tidied, built = re.search(r"RUN cd /app && (find .*?) \\\n && (.*?) \\\n", dockerfile).groups()
    assert built.endswith("-m model_code.kernel.build")
    subprocess.run(tidied, shell=True, cwd=tmp_path, check=True)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["module.cpp", "serve.py"]
