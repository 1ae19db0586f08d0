"""moto's own tests, from its source distribution on PyPI, against a running AWS: how many pass, how others fail."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from local.sagemaker.s3_io import unpack

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "bench" / "fidelity"
SERVICES = {
    "DynamoDB": ["test_dynamodb"],
    "Step Functions": ["test_stepfunctions"],
    "EventBridge": ["test_events"],
    "Scheduler": ["test_scheduler"],
    "CloudWatch": ["test_cloudwatch"],
    "CloudFormation": ["test_cloudformation"],
    "S3": ["test_s3"],
    "SageMaker": ["test_sagemaker", "test_sagemakerruntime", "test_sagemakermetrics"],
    "SNS, SQS, KMS, SSM, Logs": ["test_sns", "test_sqs", "test_kms", "test_ssm", "test_logs"],
    "Lambda, HTTP API, Auto Scaling, Budgets, STS": [
        *("test_awslambda", "test_apigatewayv2", "test_applicationautoscaling", "test_budgets", "test_sts"),
    ],
}
QUICK = ("Step Functions", "Scheduler", "EventBridge")
# How a test that does not pass fails, by the words of its failure; the first that fits.
KINDS = {
    "not simulated": r"not simulated|not (yet )?implemented|UnknownOperation|InvalidAction|Unknown (action|operation)|"
    r"Unrecognized resource types|Unsupported|501|No route|Not Found.*Operation",
    "accepted": r"DID NOT RAISE",
    "refused": r"botocore\.(exceptions\.(ClientError|ParamValidationError)|errorfactory)",
}


def folder() -> Path:
    """The suites of the moto that is installed, downloaded once."""
    version = importlib.metadata.version("moto")
    there = WORK / f"moto-{version}"
    if not there.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        venv.create(WORK / "pip", with_pip=True, clear=True)
        pip = [str(WORK / "pip/bin/python"), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, f"moto=={version}", "--dest", str(WORK)], check=True)
        with tarfile.open(WORK / f"moto-{version}.tar.gz") as archive:
            unpack(archive, WORK)
    return there


def run(endpoint: str, service: str, *, limit_s: int) -> Counter[str]:
    """{how it ended: how many tests} of a service's suites; a suite that is not done in time counts what it did."""
    suites, report = folder(), WORK / "report.xml"
    report.unlink(missing_ok=True)
    words = [
        "-m",
        "pytest",
        "-q",
        "--continue-on-collection-errors",
        "--ignore-glob=*/test_server.py",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    settings = {"TEST_SERVER_MODE": "true", "TEST_SERVER_MODE_ENDPOINT": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(
        [
            "timeout",
            "--signal=INT",
            str(limit_s),
            sys.executable,
            *words,
            *(f"tests/{name}" for name in SERVICES[service]),
        ],
        cwd=suites,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return counted(report) if report.exists() else Counter()


def counted(report: Path) -> Counter[str]:
    return Counter(ending(case) for case in ElementTree.parse(report).iter("testcase"))


def ending(case: ElementTree.Element) -> str:
    """passed, skipped, or the kind of its failure."""
    if case.find("skipped") is not None:
        return "skipped"
    failure = case.find("failure") if case.find("failure") is not None else case.find("error")
    if failure is None:
        return "passed"
    words = f"{failure.get('message')}\n{failure.text}"
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, words)), "another answer")
