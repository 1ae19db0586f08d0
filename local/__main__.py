"""`python -m local serve`: the local AWS as a foreground process (`fairway up` starts it in the background)."""

import argparse
import sys
from pathlib import Path

from local.state import LocalError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description="AWS on this machine, for Fairway.")
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve until interrupted")
    serve.add_argument("--port", type=int, default=0, help="0 takes the port used last, or a free one")
    serve.add_argument("--state", type=Path, required=True, help="the folder that holds everything this server keeps")
    serve.add_argument("--enforce-iam", action="store_true", help="check what a role's policies allow, as AWS does")
    options = parser.parse_args(arguments)
    from local.server import serve as run  # lazy: slow to import; wrong arguments are refused at once

    try:
        run(port=options.port, folder=options.state, enforce_iam=options.enforce_iam)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
