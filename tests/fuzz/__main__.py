"""`python -m tests.fuzz`: coverage-guided fuzzing of the kernel's plan loader and body readers, under address,
undefined-behaviour and leak checks.

Needs clang with its runtime (Debian: clang and libclang-rt-14-dev). What it finds worth keeping stays in
build/fuzz/corpus, so that the next run goes on from there; an input that breaks something is written to build/fuzz and
named.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from model_code.kernel.build import FLAGS, SANITIZERS
from model_code.kernel.header import checked_body
from model_code.plan import compile_plan
from tests.model_code.kernel.test_bodies import VALID
from tests.model_code.kernel.test_engine import body_of, csv_of
from tests.model_code.pipelines import CASES, COLUMNS, FITTED, hostile_rows

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "fuzz"
PLAN, JSON, JSON_LINES, CSV, CSV_WITH_HEADER = range(5)  # as in kernel.cpp
READ_BY = ["histogram, native categories", "logistic, three classes", "forest"]
MOST_SECONDS_AN_INPUT, MOST_MB, MOST_MB_AT_ONCE, LONGEST_INPUT = 10, 2048, 300, 131_072


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    compiler = shutil.which("clang++")
    if compiler is None:
        print("clang++ is not here: apt-get install clang libclang-rt-14-dev", file=sys.stderr)
        return 2
    seeds()
    program = build(compiler)
    command = [
        program,
        f"-max_total_time={options.seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={MOST_SECONDS_AN_INPUT}",
    ]
    command += [
        f"-rss_limit_mb={MOST_MB}",
        f"-malloc_limit_mb={MOST_MB_AT_ONCE}",
        f"-artifact_prefix={FOLDER}/found-",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [*command, FOLDER / "corpus", FOLDER / "seeds"], env={**os.environ, "FUZZ_PLANS": str(FOLDER / "plans")}
    )
    return 1 if done.returncode else 0


def seeds() -> None:
    """Inputs of every kind, and the plans that read bodies. Both grammars' words need no dictionary: the seeds have
    them.
    """
    for name in ("plans", "seeds"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    for name in ("plans", "seeds", "corpus"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    for place, (name, plan) in enumerate(plans().items()):
        (FOLDER / "seeds" / f"plan-{place}").write_bytes(bytes([PLAN]) + plan)
        if name in READ_BY:
            (FOLDER / "plans" / f"{READ_BY.index(name)}").write_bytes(plan)
    rows = hostile_rows(rows=12)
    lines = b"\n".join(body_of([row])[len(b'{"instances": [') : -len(b"]}")] for row in rows)
    header = ",".join(column["name"] for column in COLUMNS).encode() + b"\n"
    bodies = [
        (JSON, VALID),
        (JSON, body_of(rows)),
        (JSON_LINES, lines),
        (CSV, csv_of(rows)),
        (CSV, header + csv_of(rows)),
    ]
    for place, (kind, body) in enumerate([*bodies, (CSV_WITH_HEADER, header + csv_of(rows))]):
        for read_by in range(len(READ_BY)):
            (FOLDER / "seeds" / f"body-{place}-{read_by}").write_bytes(bytes([kind, read_by]) + body)


def plans() -> dict[str, bytes]:
    """One of every kind, without those that libFuzzer would cut off."""
    bodies = {name: checked_body(compile_plan(FITTED[name], COLUMNS)) for name in CASES}
    return {name: body for name, body in bodies.items() if len(body) < LONGEST_INPUT}


def build(compiler: str) -> Path:
    program = FOLDER / "kernel"
    flags = [*FLAGS, *SANITIZERS, "-O1", "-fsanitize=fuzzer", "-Wno-unused-function"]
    include = ["-I", str(ROOT / "model_code" / "kernel"), "-I", sysconfig.get_path("include")]
    subprocess.run(
        [compiler, *flags, *include, str(ROOT / "tests" / "fuzz" / "kernel.cpp"), "-o", str(program)], check=True
    )
    return program


if __name__ == "__main__":
    sys.exit(main())
