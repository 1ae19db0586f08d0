"""pins: which variables training sets over whatever a host has, and that it starts again for them once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_code.fitting.pins import pinned

ROOT = Path(__file__).resolve().parents[3]
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (
            "x86_64",
            {
                "OPENBLAS_CORETYPE": "Nehalem",
                "NPY_ENABLE_CPU_FEATURES": "X86_V2",
                "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4",
            },
        ),
        ("aarch64", {"OPENBLAS_CORETYPE": "ARMV8", "NPY_ENABLE_CPU_FEATURES": "ASIMD"}),
        ("riscv64", {}),
    ],
)
def test_each_kind_of_machine_has_the_least_that_all_of_its_kind_have(machine, expected):
    assert pinned({}, machine) == {**expected, **THREADS}


def test_pins_replace_what_a_host_has_set_and_nothing_else():
    host = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "8", "OPENBLAS_CORETYPE": "SkylakeX", "GLIBC_TUNABLES": "x=1"}
    assert pinned(host, "x86_64") == {"LANG": "C.UTF-8", **pinned({}, "x86_64")}
    assert pinned(pinned(host, "x86_64"), "x86_64") == pinned(host, "x86_64")


def test_what_numpy_does_not_take_beside_a_pin_is_removed():
    assert pinned({"NPY_DISABLE_CPU_FEATURES": "X86_V3"}, "x86_64") == pinned({}, "x86_64")


REPORT = "import os, sys; print(os.environ['OMP_NUM_THREADS'], os.environ['A'], sys.argv[1:])"
HELD = f"from model_code.fitting.pins import hold_pins; hold_pins(); {REPORT}"


def held(**environment):
    """What a process that holds the pins prints, started with the environment and an argument."""
    words = [sys.executable, "-c", HELD, "an argument"]
    environment = {"PATH": os.environ["PATH"], "A": "kept", **environment}
    return subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_process_goes_on_with_its_arguments_in_the_pinned_environment():
    assert held(OMP_NUM_THREADS="7") == "1 kept ['an argument']\n"


def test_a_start_that_sets_a_variable_each_time_ends_the_restarts(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['OMP_NUM_THREADS'] = '7'")
    assert held(PYTHONPATH=str(tmp_path)) == "7 kept ['an argument']\n"
