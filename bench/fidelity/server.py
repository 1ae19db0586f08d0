"""A local AWS for the suites of others: moto's account, and its address of the reset, which ours keeps closed.

`python -m bench.fidelity.server PORT STATE`; without IAM, since those suites sign with any key.
"""

import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"


def settle(port: int, state: Path) -> None:
    """MiniStack reads its settings while it is imported."""
    os.environ.update(
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AUTH": "false",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "S3_DATA_DIR": str(state / "s3"),
            "STATE_DIR": str(state / "state"),
            "DOCKER_HOST": f"unix://{state}/no-docker",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "any",
            "FAIRWAY_STATE_DIR": str(state),
            "FAIRWAY_IMAGES": str(ROOT / "tests/local/sagemaker/images"),
            "FAIRWAY_LAMBDA_PYTHON": str(ROOT / ".venv-lambda/bin/python"),
            "FAIRWAY_IMAGE_PYTHON": sys.executable,
        }
    )


def main() -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    port, state = int(sys.argv[1]), Path(sys.argv[2])
    settle(port, state)
    from local.ministack import load_plugins  # after the settings, see above

    aws = load_plugins().app

    async def gateway(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/moto-api/reset":
            scope = {**scope, "path": "/_ministack/reset", "raw_path": b"/_ministack/reset"}
        await aws(scope, receive, send)

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(gateway, config))


if __name__ == "__main__":
    main()
