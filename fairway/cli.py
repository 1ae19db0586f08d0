"""The `fairway` command and the list of its commands. Each module holds a command's options next to its work.

No command module imports the AWS SDK or Arrow at its top, so help and refusals are fast.
"""

import sys

import typer

from fairway.commands import (
    backtest,
    batch,
    check,
    deploy,
    doctor,
    experiment,
    forget,
    held_out,
    impact,
    import_model,
    init,
    load,
    money,
    openapi,
    outcomes,
    predict,
    quarantine,
    redrive,
    releases,
    report,
    rollout,
    runs,
    status,
    train,
    unload,
    up,
    watch,
)
from fairway.terminal.entry import exit_code_of

COMMANDS = (
    init,
    check,
    up,
    doctor,
    deploy,
    load,
    quarantine,
    unload,
    train,
    held_out,
    import_model,
    predict,
    openapi,
    batch,
    outcomes,
    forget,
    status,
    releases,
    rollout,
    experiment,
    redrive,
    watch,
    backtest,
    runs,
    impact,
    report,
    money,
)

app = typer.Typer(
    name="fairway",
    help="Take a model from data to production: on this machine by default, on AWS with --stage.",
    epilog="Start with `fairway init --data FILE --target COLUMN`, or in the reference project with `fairway up`.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for module in COMMANDS:
    app.add_typer(module.app)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 failed, 2 called incorrectly, 130 interrupted."""
    return exit_code_of(app, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
