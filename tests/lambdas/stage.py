"""The stage that the tests' functions run in: what their environment says, and their settings as in a zip."""

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

from domain.config import sections as config
from domain.contract import file as contract_file
from domain.contract import schema as contract
from tests.lambdas import moto_server
from tests.lambdas.model_server import ModelServer

PROJECT = Path(__file__).parents[2]
LAKE, PREFIX = "flights-local-lake", "flights-local-"
PREDICTIONS, OUTCOMES, ROUTING, RUNS, EVIDENCE = (
    f"{PREFIX}{name}" for name in ("predictions", "outcomes", "routing", "runs", "evidence")
)
UNDELIVERED = f"{PREFIX}undelivered"
KEY = f"alias/{PREFIX}signing"
MODEL = ModelServer()
CONFIG = config.of_stage(
    {
        "project": {"name": "flights", "contract": "flights/contract.toml", "task": "binary"},
        "benchmarks": {
            "metric": "roc_auc",
            "quality": 0.65,
            "calibration_error": 0.08,
            "p99_ms": 10.0,
            "size_mb": 20.0,
        },
        "serving": {"deadline_ms": 20_000, "keep_predictions_days": 400},
        "release": {"keep_previous_minutes": 60},
        "business": {"true_positive_usd": 40.0, "false_positive_usd": -12.0, "false_negative_usd": -25.0},
    },
    config.LOCAL,
)
CONTRACT = contract_file.read_contract(PROJECT / CONFIG.project.contract, CONFIG.project.task)


def deploy() -> None:
    """Handlers read their environment when they are imported, as on AWS: call this before."""
    zip_root = Path(tempfile.mkdtemp(prefix="fairway-zip-"))
    atexit.register(shutil.rmtree, zip_root, ignore_errors=True)
    values = {"config": config.as_dict(CONFIG), "contract": contract.as_dict(CONTRACT), "code_version": "image-1"}
    (zip_root / "settings.json").write_text(json.dumps(values))
    os.environ |= {
        "LAMBDA_TASK_ROOT": str(zip_root),
        "LAKE": LAKE,
        "CAPTURED_LAKE": LAKE,
        "PREDICTIONS_TABLE": PREDICTIONS,
        "OUTCOMES_TABLE": OUTCOMES,
        "ROUTING_TABLE": ROUTING,
        "RUNS_TABLE": RUNS,
        "EVIDENCE_TABLE": EVIDENCE,
        "ENDPOINT_PREFIX": PREFIX,
        "SIGNING_KEY": KEY,
        "HOURS_FUNCTION": f"{PREFIX}hours",
        "SCALING": "",
        "UNDELIVERED_QUEUE": f"https://sqs.us-east-1.amazonaws.com/123456789012/{UNDELIVERED}",
        "ALARMS": "arn:aws:sns:us-east-1:123456789012:flights-local-alarms",
        "TRAIN_FLOW": "arn:aws:states:us-east-1:123456789012:stateMachine:flights-local-train",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": MODEL.url,
        **dict.fromkeys(("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS"), moto_server.serve()),
    }
