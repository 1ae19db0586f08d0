"""What every command has: its options, its progress, and its end."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from domain.config.sections import LOCAL
from fairway.terminal.done import Done, show
from fairway.terminal.errors import explained
from fairway.terminal.progress import Progress

Project = Annotated[Path, typer.Option(help="Folder of fairway.toml.", metavar="DIR")]
StageName = Annotated[str, typer.Option(help="A stage of fairway.toml; local is the local AWS.", metavar="NAME")]
AsOf = Annotated[str | None, typer.Option(help="Act as of this time, in ISO 8601, e.g. 2013-04-01.", metavar="T")]
Breaking = Annotated[
    bool,
    typer.Option(
        "--breaking", help="Deploy a contract that breaks a release that answers, as reported by `check --against`."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, as in a pipe.")]
HERE = Path(".")
NAMED = re.compile(
    r"`(?P<command>fairway (?:prices |rollout |experiment )?(?P<verb>[a-z]+(?:-[a-z]+)*))(?P<rest>[^`]*)`"
)
LOCAL_ONLY = ("init", "check", "up", "down")  # these take no --stage


def run(command: Callable[[Progress], Done], *, json: bool, project: Path = HERE, stage: str = LOCAL) -> None:
    """Run a command with progress on stderr and print its result; suggested commands are completed for this project."""
    try:
        with Progress() as progress:
            done = command(progress)
    except Exception as error:
        failure = explained(error)
        if failure is None:
            raise
        failure.message = as_typed(failure.message, project, stage)
        raise failure from None
    show(done, as_json=json, following=as_typed(done.next, project, stage))
    if done.exit_code:
        raise typer.Exit(done.exit_code)


def as_typed(text: str, project: Path, stage: str) -> str:
    """Complete the commands in a text with this command's --project and --stage."""

    def placed(match: re.Match[str]) -> str:
        options = {"--project": project if project != HERE else None, "--stage": stage if stage != LOCAL else None}
        if match["verb"] in LOCAL_ONLY:
            del options["--stage"]
        if "--help" in match["rest"]:
            return match[0]
        words = [[name, str(value)] for name, value in options.items() if value and name not in match["rest"]]
        return f"`{' '.join([match['command'], *map(shlex.join, words)])}{match['rest']}`"

    return NAMED.sub(placed, text)
