"""Init of every function as the Lambda runtime interface emulator reports it: awslambdaric, and the folder that becomes
the zip.

Beside them a function that does nothing and one that only makes boto3's clients for DynamoDB and SageMaker, started in
the same rounds. Wall time: the emulator measures no other.
"""

import tempfile
from pathlib import Path

from tests.lambdas.emulator import Emulator, synthesised

TWO_CLIENTS = "boto3, two clients"
MAKE_CLIENTS = "import boto3; boto3.client('dynamodb'); boto3.client('sagemaker-runtime')"
REFERENCES = {"nothing": "", TWO_CLIENTS: MAKE_CLIENTS}
HANDLER = "\n\ndef handler(event, context):\n    return {}\n"
# As there: nothing can be written beside the sources.
THERE = {"PYTHONDONTWRITEBYTECODE": "1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}  # what a function may ask once its init is over is nobody


def init_times(rounds: int) -> dict[str, list[float]]:
    """{function: milliseconds of each round}; a round starts each of them once."""
    with tempfile.TemporaryDirectory() as place:
        starts = {**references(Path(place)), **functions(Path(place))}
        measured = {name: [] for name in starts}
        for number in range(rounds + 1):
            for name, (folder, handler, environment) in starts.items():
                with Emulator(folder, handler, {**environment, **THERE, **NOWHERE}, log=Path(place, "log")) as function:
                    took_ms = function.init_ms()
                if number:  # the first brings the libraries into memory
                    measured[name].append(took_ms)
    return measured


def references(place: Path) -> dict[str, tuple]:
    times = {}
    for name, code in REFERENCES.items():
        folder = place / name.partition(",")[0]
        folder.mkdir()
        (folder / "only.py").write_text(code + HANDLER)
        times[name] = (folder, "only.handler", {})
    return times


def functions(place: Path) -> dict[str, tuple]:
    zip_root, environments = synthesised(place / "assembly")
    return {
        handler.split(".")[1]: (
            zip_root,
            handler,
            {name: value if isinstance(value, str) else "named-at-deploy" for name, value in variables.items()},
        )
        for handler, variables in sorted(environments.items())
    }
