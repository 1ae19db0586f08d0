"""The local AWS as one process: MiniStack with our plugins on 127.0.0.1, with all its state below one folder."""

import asyncio
import os
import secrets
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config
from hypercorn.utils import LifespanFailureError

from local import generations, guard, ownership, profile
from local.journal import Journal, Written
from local.state import PROXIES, LocalError, check_version, claim, listen, locked, write_json

ROOT = Path(__file__).resolve().parent.parent


def serve(*, port: int, folder: Path, enforce_iam: bool) -> None:
    """Serve until SIGTERM or SIGINT."""
    folder = folder.absolute()
    check_version(folder)
    ownership.check(folder)
    with locked(folder):
        if ownership.is_new(folder):
            ownership.take(folder)
        claim(folder)
        sock = listen(folder, port)
        prepare(folder, port=sock.getsockname()[1], enforce_iam=enforce_iam)
        keeper = guard.start(os.environ[guard.MARK])
        try:
            run(folder, sock, enforce_iam=enforce_iam)
        finally:
            (folder / "server.json").unlink(missing_ok=True)
            guard.kill_marked(os.environ[guard.MARK], spare=(os.getpid(), keeper.pid))
            assert keeper.stdin is not None  # a pipe, see guard.start()
            keeper.stdin.close()
            keeper.wait()


def prepare(folder: Path, *, port: int, enforce_iam: bool) -> None:
    """Make the folders and set the environment; MiniStack reads its settings while it is imported."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    for name in ("tmp", "s3", "services", "journal", "images", "sagemaker"):
        (folder / name).mkdir(exist_ok=True)
    foreign = ("AWS_", "MINISTACK_", "LAMBDA_", "LOCALSTACK_", "SFN_")
    for name in [name for name in os.environ if name.startswith(foreign) or name.lower() in PROXIES]:
        del os.environ[name]  # above all real credentials: nothing here may reach a real account
    root = profile.root_key(folder)
    os.environ.update(
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "USE_SSL": "0",
            "SERVICES": "",
            "AUTH": "true" if enforce_iam else "false",
            "TMPDIR": str(folder / "tmp"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / "services"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
            # a call that would need Docker fails, even if Docker runs
            "DOCKER_HOST": f"unix://{folder}/no-docker",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_DEFAULT_REGION": profile.REGION,
            "AWS_ACCESS_KEY_ID": root.access_key,  # MiniStack accepts only these for its root user
            "AWS_SECRET_ACCESS_KEY": root.secret_key,
            "FAIRWAY_STATE_DIR": str(folder),
            "FAIRWAY_IMAGES": str(folder / "images"),
            guard.MARK: secrets.token_hex(8),
        }
    )
    for name, environment in (("FAIRWAY_LAMBDA_PYTHON", ".venv-lambda"), ("FAIRWAY_IMAGE_PYTHON", ".venv-image")):
        python = Path(os.environ.setdefault(name, str(ROOT / environment / "bin" / "python")))
        if not python.exists():
            raise LocalError(f"{name} names {python}, which does not exist; run `make setup`")


def run(folder: Path, sock: socket.socket, *, enforce_iam: bool) -> None:
    # lazy: MiniStack, which all of these import, reads the environment once, and `serve` has set it only now
    from local.durable import Durable
    from local.ministack import dynamodb, load_plugins, persistence, stream_mappings, stream_records

    app: Any = load_plugins()
    from local.gateway import Gateway  # lazy: what it imports of MiniStack is known to be there only now

    path, damage = generations.intact(folder / "journal")
    journal, named = Journal(path), generations.functions_in_copy(folder / "journal")
    entries = persistence.Entries(app, journal)
    dynamodb.use(journal, lambda: entries.collect_one("dynamodb"))
    poller = stream_mappings.registered()
    poller.open.clear()  # until functions can be called
    app._load_persisted_state = lambda: persistence.restore(app, entries, named)
    app.save_all = lambda states: None  # MiniStack's own save at a clean stop: ours, below, replaces it
    copies = generations.Copies(folder / "journal")
    port = int(os.environ["GATEWAY_PORT"])
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.keep_alive_timeout = 75

    def ready() -> None:
        entries.start(asyncio.get_running_loop())
        stream_records.registered().keep_in(journal)
        poller.start(asyncio.get_running_loop())
        copies.start()
        profile.write_config(folder, f"http://127.0.0.1:{port}")
        write_json(
            folder / "server.json",
            {
                "pid": os.getpid(),
                "port": port,
                "endpoint": f"http://127.0.0.1:{port}",
                "enforce_iam": enforce_iam,
                "started": time.time(),
                "mark": os.environ[guard.MARK],
            },
        )

    durable = Durable(app.app, journal, entries, folder / "s3")

    def written() -> Written:
        return {"failure": journal.failure, "warnings": [*filter(None, (damage, copies.failure))]}

    gateway = Gateway(durable, ready=ready, written=written, state=str(folder), port=port)
    try:
        asyncio.run(serve_asgi(gateway, config))  # type: ignore[arg-type]  # its scopes are dicts here
    except LifespanFailureError:
        raise gateway.failure or RuntimeError("the services did not start") from None
    copies.stop()
    entries.collect(everything=True)
    journal.close()
