"""`python bench/cold_start.py`: what a cold start of `predict` costs the processor, against boto3 making the same two clients.

Each start is a process of its own in the Lambda runtime's environment (.venv-lambda), from the files that ship; the libraries
have their bytecode, as there; the shapes take turns, so that a busy machine is equally unfair to all. Processor time of the whole
process, interpreter included.
"""

import argparse
import json
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

from domain import config, contract, contract_file  # noqa: E402

PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
CLIENTS = "from lambdas import clients; clients.dynamodb(); clients.sagemaker_runtime(1.5)"
BOTO3 = "import boto3; boto3.client('dynamodb'); boto3.client('sagemaker-runtime')"
SHAPES = {
    "interpreter alone": "pass",
    "boto3, two clients": BOTO3,
    "botocore, two clients": "import botocore.session as s; s = s.get_session(); s.create_client('dynamodb'); "
    "s.create_client('sagemaker-runtime')",
    "botocore's signer and urllib3": "import botocore.auth, botocore.awsrequest, urllib3, ssl; ssl.create_default_context(); "
    "urllib3.PoolManager()",
    "predict": "import lambdas.predict",
    "predict, two clients": f"import lambdas.predict; {CLIENTS}",
    "predict, two clients, as shipped": f"import lambdas.predict; {CLIENTS}",
    "predict, two clients, by boto3": f"import lambdas.predict; {BOTO3}",
}
SHIPPED = "predict, two clients, as shipped"  # sources only: Lambda cannot keep the bytecode that it makes of them
TARGET = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        environment, source_only = (unpacked_zip(Path(folder, name)) for name in ("compiled", "source"))
        source_only["PYTHONDONTWRITEBYTECODE"] = "1"
        measured = {name: [] for name in SHAPES}
        for number in range(rounds + 1):
            for name, code in SHAPES.items():
                used_ms = cpu_ms(code, source_only if name == SHIPPED else environment)
                if number:  # the first writes the bytecode
                    measured[name].append(used_ms)
    print(f"{'processor ms, median of ' + str(rounds):32} {'median':>7} {'least':>7} {'most':>7} {'of boto3':>9}")
    reference = statistics.median(measured["boto3, two clients"])
    for name, times in measured.items():
        median = statistics.median(times)
        print(f"{name:32} {median:7.0f} {min(times):7.0f} {max(times):7.0f} {median / reference:9.2f}")
    ratio = statistics.median(measured[SHIPPED]) / reference
    print(f"cold start of predict with its clients: {ratio:.2f} of boto3's two clients (at most {TARGET})")
    return 0 if ratio <= TARGET else 1


def unpacked_zip(folder: Path) -> dict[str, str]:
    """What infra/function.py puts into the zip; the environment that a function has there."""
    for source in ("lambdas", "domain"):
        shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
    project = config.read_config(ROOT, "local")
    rules = contract_file.read_contract(ROOT / project.project.contract, project.project.task)
    settings = {"config": config.as_dict(project), "contract": contract.as_dict(rules), "code_version": "bench"}
    (folder / "settings.json").write_text(json.dumps(settings))
    names = ("PREDICTIONS_TABLE", "ROUTING_TABLE", "HOURS_FUNCTION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    place = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(folder), "PYTHONPATH": str(folder)}
    return {**place, **region, **dict.fromkeys(names, "bench")}


def cpu_ms(code: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([PYTHON, "-c", code], env=environment, cwd="/", check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
