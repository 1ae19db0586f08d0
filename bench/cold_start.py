"""`python bench/cold_start.py`: what a cold start of `predict` costs the processor, against boto3 making the same two
clients; then how long the init of every function takes under the Lambda runtime interface emulator.

Each start is a process of its own in the Lambda runtime's environment (.venv-lambda), from the files that ship with the
bytecode that ships; the libraries have theirs, as there; the shapes take turns, so that a busy machine is equally
unfair to all. Processor time of the whole process, interpreter included.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.init_times import MAKE_CLIENTS, THERE, TWO_CLIENTS, init_times  # noqa: E402
from tests.lambdas.emulator import NoEmulator, binary, synthesised  # noqa: E402

PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
CLIENTS = "from lambdas.aws import clients; clients.dynamodb(); clients.sagemaker_runtime(1.5)"
SHAPES = {
    "interpreter alone": "pass",
    TWO_CLIENTS: MAKE_CLIENTS,
    "botocore, two clients": "import botocore.session as s; s = s.get_session(); s.create_client('dynamodb'); "
    "s.create_client('sagemaker-runtime')",
    (
        "botocore's signer and urllib3"
    ): "import botocore.auth, botocore.awsrequest, urllib3, ssl; ssl.create_default_context(); urllib3.PoolManager()",
    "predict": "import lambdas.request.predict",
    "predict, two clients": f"import lambdas.request.predict; {CLIENTS}",
    "predict, two clients, no bytecode": f"import lambdas.request.predict; {CLIENTS}",
    "predict, two clients, by boto3": f"import lambdas.request.predict; {MAKE_CLIENTS}",
}
SHIPPED, SOURCES = "predict, two clients", "predict, two clients, no bytecode"
TARGET = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        zip_root, functions = synthesised(Path(folder, "assembly"))
        sources = shutil.copytree(zip_root, Path(folder, "sources"), ignore=shutil.ignore_patterns("__pycache__"))
        variables = functions["lambdas.request.predict.handler"]
        measured = {name: [] for name in SHAPES}
        for number in range(rounds + 1):
            for name, code in SHAPES.items():
                used_ms = _cpu_ms(code, environment(sources if name == SOURCES else zip_root, variables))
                if number:  # the first brings the libraries into memory
                    measured[name].append(used_ms)
    ratios = table("processor ms", measured)
    _print_init_times(rounds)
    print(f"cold start of predict with its clients: {ratios[SHIPPED]:.2f} of boto3's two clients (at most {TARGET})")
    return 0 if ratios[SHIPPED] <= TARGET else 1


def _print_init_times(rounds: int) -> None:
    try:
        binary()
    except NoEmulator as error:
        print(f"no init times: {error}")
    else:
        table("init ms in the emulator", init_times(rounds))


def table(what: str, measured: dict[str, list[float]]) -> dict[str, float]:
    """Prints medians; gives each one's share of boto3's two clients."""
    rounds = len(measured[TWO_CLIENTS])
    print(f"{what + ', median of ' + str(rounds):38} {'median':>7} {'least':>7} {'most':>7} {'of boto3':>9}")
    reference = statistics.median(measured[TWO_CLIENTS])
    for name, times in measured.items():
        median = statistics.median(times)
        print(f"{name:38} {median:7.0f} {min(times):7.0f} {max(times):7.0f} {median / reference:9.2f}")
    return {name: statistics.median(times) / reference for name, times in measured.items()}


def environment(task_root: Path, variables: dict) -> dict[str, str]:
    """What a function has there; names that only a deployment knows are not asked for."""
    place = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(task_root), "PYTHONPATH": str(task_root)}
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**place, **region, **THERE, **{name: str(value) for name, value in variables.items()}}


def _cpu_ms(code: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PYTHON, "-c", code], env=environment, cwd="/", check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
