"""arithmetic: the manifest's record of what a process computes with."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RECORD = (
    "import json, sklearn.linear_model; from model_code.fitting.arithmetic import arithmetic; "
    "print(json.dumps(arithmetic()))"
)


def recorded(**environment):
    """Of a process with scikit-learn loaded that nobody pinned."""
    environment = {"PATH": os.environ["PATH"], **environment}
    words = [sys.executable, "-c", RECORD]
    return json.loads(subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels are those of x86-64")
def test_the_record_is_of_what_is_in_force_and_not_of_what_should_be():
    record = recorded(OPENBLAS_CORETYPE="Sandybridge", OPENBLAS_NUM_THREADS="2", NPY_ENABLE_CPU_FEATURES="X86_V2")
    assert record["pinned"] == {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "NPY_ENABLE_CPU_FEATURES": "X86_V2",
        "GLIBC_TUNABLES": None,
        "OMP_NUM_THREADS": None,
        "OPENBLAS_NUM_THREADS": "2",
    }
    assert record["simd"] == []
    kernels = [library.split()[2:] for library in record["libraries"] if library.startswith("openblas ")]
    assert kernels and all(kernel == ["Sandybridge", "threads=2"] for kernel in kernels)


def test_two_processes_record_the_same_and_no_host():
    one, other = recorded(PYTHONHASHSEED="1"), recorded(PYTHONHASHSEED="2")
    assert one == other
    assert platform.node() not in json.dumps(one)
