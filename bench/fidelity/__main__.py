"""`make bench-fidelity`: the behaviours the app relies on and moto's own suites; writes docs/fidelity.md."""

import argparse
import contextlib
import importlib.metadata
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.fidelity import ledger, suites
from bench.fidelity.behaviours import SAGEMAKER, Behaviour
from bench.fidelity.clients import Aws, until
from bench.fidelity.flows import FLOWS

PAGE = suites.ROOT / "docs" / "fidelity.md"


@contextlib.contextmanager
def local_aws() -> Iterator[str]:
    """Its address; ended and forgotten afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as state, open(Path(state) / "server.log", "w") as log:
        words = [sys.executable, "-m", "bench.fidelity.server", str(port), state]
        server = subprocess.Popen(words, cwd=suites.ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: answers(port), within_s=60)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()  # nothing of it is kept, and requests that a suite left open need not end
            server.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2).status == 200
    return False


def tried(aws: Aws, behaviour: Behaviour) -> str:
    """Why it does not behave so, in a line; nothing when it does."""
    try:
        return "" if behaviour.try_it(aws) else "answers otherwise"
    except Exception as error:  # noqa: BLE001 - whatever a behaviour raises is its result
        return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three of moto's suites, under five minutes")
    parser.add_argument("--seconds", type=int, default=1800, help="at most so long for the suites of a service")
    quick, limit_s = (asked := parser.parse_args()).quick, asked.seconds
    services = suites.QUICK if quick else tuple(suites.SERVICES)
    outcomes_by_service: dict[str, Counter[str]] = {}
    with local_aws() as endpoint:
        aws = Aws(endpoint)
        behaviours = [(each, tried(aws, each)) for each in (*SAGEMAKER, *FLOWS)]
        for each, problem in behaviours:
            print(f"{each.does:66} {problem or 'yes'}", flush=True)
        for service in services:
            outcomes_by_service[service] = suites.run(endpoint, service, limit_s=min(limit_s, 90) if quick else limit_s)
            print(
                f"{service:66} {outcomes_by_service[service]['passed']} of {ledger.ran(outcomes_by_service[service])}",
                flush=True,
            )
    version = importlib.metadata.version("moto")
    if not quick:
        PAGE.write_text(ledger.page(behaviours, outcomes_by_service, moto=version, limit_s=limit_s), encoding="utf-8")
    whole = sum(outcomes_by_service.values(), Counter())
    done = sum(not problem for _, problem in behaviours)
    print(
        f"fidelity: {done} of {len(behaviours)} behaviours; moto {version}: {whole['passed']} of {ledger.ran(whole)} "
        f"pass, {whole['not simulated']} not simulated, {whole['accepted']} accepted"
    )


if __name__ == "__main__":
    main()
