"""The servers that are compared: what each installs, how it starts, how it wants a row and where its answer is."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.serving.table import BOOLEANS, COLUMNS, LEVELS

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
BUILD = ROOT / "build" / "bench"
FOLDER = BUILD / "serving"
WORKERS = 2
SKLEARN = ["scikit-learn==1.9.1", "numpy==2.4.6", "pandas==3.1.1"]


def instances(row: dict) -> dict:
    return {"instances": [row]}


def _data_frame_records(row: dict) -> dict:
    return {"dataframe_records": [row]}


def tensors(row: dict) -> dict:
    """The Open Inference Protocol as MLServer reads data frames."""
    parameters = {"content_type": "pd"}
    return {
        "parameters": parameters,
        "inputs": [tensor(*item) for item in row.items()],
        "outputs": [{"name": "predict_proba"}],
    }


def tensor(name: str, value) -> dict:
    kind = "BYTES" if name in LEVELS else "BOOL" if name in BOOLEANS else "FP64"
    text = {"parameters": {"content_type": "str"}} if kind == "BYTES" else {}
    return {"name": name, "shape": [1, 1], "datatype": kind, "data": [value], **text}


def _first_prediction(reply: dict) -> float:
    return reply["predictions"][0]


@dataclass(frozen=True)
class Server:
    """`command` and `environment` may hold {port}, {port1} and {port2}: three free ports."""

    name: str
    command: list[str]
    packages: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    path: str = "/invocations"
    encode: Callable[[dict], dict] = instances
    decode: Callable[[dict], float] = _first_prediction
    takes_missing: bool = True
    kind: str = "peer"


def binary(environment: str, program: str) -> str:
    return str(BUILD / environment / "bin" / program)


def ours(name: str, *options: str, kind: str, workers: int = 1) -> Server:
    """With what the container has. One worker: the load generator wants the other core."""
    variables = {
        "BIND_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": "{port}",
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers),
    }
    variables |= {"SAGEMAKER_BASE_DIR": str(FOLDER), "PYTHONPATH": str(ROOT)}
    python = str(ROOT / ".venv-image" / "bin" / "python")
    return Server(name, [python, *options], environment=variables, kind=kind)


def _on_another_server(name: str, command: list[str], packages: list[str]) -> Server:
    """Our service with HTTP by someone else: what `docs/decisions.md` compares."""
    return Server(name, command, packages, {"PYTHONPATH": f"{ROOT}:{APPS}"}, kind="alternative")


SERVERS = {
    "fairway": ours("Fairway serve", "-m", "model_code", "serve", kind="ours"),
    "two": ours("Fairway serve, 2 workers", "-m", "model_code", "serve", kind="alternative", workers=2),
    "uvicorn": _on_another_server(
        "Fairway on uvicorn",
        [
            binary("uvicorn", "uvicorn"),
            "asgi_app:app",
            "--port",
            "{port}",
            "--no-access-log",
            "--log-level",
            "warning",
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--lifespan",
            "off",
        ],
        ["uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0"],
    ),
    "granian": _on_another_server(
        "Fairway on granian",
        [
            binary("granian", "granian"),
            "--interface",
            "rsgi",
            "rsgi_app:app",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--workers",
            "1",
            "--loop",
            "uvloop",
            "--no-ws",
            "--log-level",
            "warning",
        ],
        ["granian==2.8.7", "uvloop==0.23.0", "httptools==0.9.0"],
    ),
    "echo": ours("Fairway, echo", str(Path(__file__).parent / "echo.py"), kind="limit"),
    "flask": Server(
        "gunicorn + flask",
        [
            binary("flask", "gunicorn"),
            "-b",
            "127.0.0.1:{port}",
            "-w",
            str(WORKERS),
            "--log-level",
            "warning",
            "flask_app:app",
        ],
        [*SKLEARN, "flask==3.1.3", "gunicorn==27.0.1"],
    ),
    "mlflow": Server(
        "MLflow",
        [
            binary("mlflow", "mlflow"),
            "models",
            "serve",
            "-m",
            str(FOLDER / "mlflow"),
            "-h",
            "127.0.0.1",
            "-p",
            "{port}",
            "--env-manager",
            "local",
            "-w",
            str(WORKERS),
        ],
        [*SKLEARN, "mlflow==3.17.2"],
        encode=_data_frame_records,
        decode=lambda reply: reply["predictions"][0][1],
    ),
    "bentoml": Server(
        "BentoML",
        [binary("bentoml", "bentoml"), "serve", "bentoml_app:Scores", "-p", "{port}", "--host", "127.0.0.1"],
        [*SKLEARN, "bentoml==1.4.39"],
        {"BENTOML_DO_NOT_TRACK": "True"},
    ),
    "mlserver": Server(
        "MLServer",
        [binary("mlserver", "mlserver"), "start", str(FOLDER / "mlserver")],
        [*SKLEARN, "mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop==0.21.0"],
        {
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{port1}",
            "MLSERVER_METRICS_PORT": "{port2}",
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_PARALLEL_WORKERS": str(WORKERS),
            "MLSERVER_DEBUG": "false",
        },
        path="/v2/models/mixed/infer",
        encode=tensors,
        decode=lambda reply: reply["outputs"][0]["data"][1],
        takes_missing=False,  # a tensor of numbers holds no null
    ),
    "fastapi": Server(
        "FastAPI + uvicorn",
        [
            binary("fastapi", "uvicorn"),
            "fastapi_app:app",
            "--port",
            "{port}",
            "--workers",
            str(WORKERS),
            "--no-access-log",
            "--log-level",
            "warning",
        ],
        [*SKLEARN, "fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0"],
    ),
}


def install(names: list[str]) -> None:
    """An environment below build/bench for each peer, made once for one list of packages."""
    for name in names:
        server, folder = SERVERS[name], BUILD / name
        stamp, wanted = folder / "packages.txt", "\n".join(server.packages)
        if not server.packages or (stamp.exists() and stamp.read_text() == wanted):
            continue
        print(f"installing {server.name}: {' '.join(server.packages)}", file=sys.stderr)
        uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", binary(name, "python"), *server.packages], check=True
        )
        stamp.write_text(wanted)


def prepare(names: list[str]) -> None:
    """The model in the form that a peer wants."""
    if "mlflow" in names and not (FOLDER / "mlflow").exists():
        variables = {**os.environ, "BENCH_MODEL": str(FOLDER)}
        subprocess.run(
            [binary("mlflow", "python"), str(APPS / "save_mlflow.py")], env=variables, check=True, capture_output=True
        )
    if "mlserver" in names:
        settings = {
            "name": "mixed",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "../model.joblib"},
        }
        (FOLDER / "mlserver").mkdir(exist_ok=True)
        (FOLDER / "mlserver" / "model-settings.json").write_text(json.dumps(settings))


def usable_rows(server: Server, rows: list[dict]) -> list[int]:
    return [
        place
        for place, row in enumerate(rows)
        if server.takes_missing or all(row[name] is not None for name in COLUMNS)
    ]
