"""Every example of the help and every command line of the documents is taken by the command it names."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from fairway.cli import app

ROOT = Path(__file__).parents[2]
FAIRWAY = get_command(app)


def commands(group=FAIRWAY, path: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def examples_of_the_help() -> list[str]:
    epilogs = [command.epilog or "" for _, command in commands()]
    return [found for text in epilogs for found in re.findall(r"fairway .+?(?=   or[:,]|\. |\.$|$)", text)]


def command_lines_of_the_documents() -> list[str]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    lines = [line.removeprefix(".venv/bin/") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("fairway ")]


def commands_named_in_the_text() -> list[str]:
    """What the documents name beside their examples: often without all that the command needs."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = [re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL) for page in pages]
    named = [" ".join(found.split()) for text in texts for found in re.findall(r"`(fairway [^`]+)`", text)]
    return [each for one in named for each in _alternatives(one)]


def _alternatives(words: str) -> list[str]:
    """`fairway rollout pause|resume` names two commands; a table writes the bar with a backslash."""
    *first, last = words.replace("\\|", "|").split(" ")
    return [" ".join([*first, one]) for one in last.split("|")]


def parse(line: str) -> None:
    """Raise what the command line would, without running the command."""
    command, words = FAIRWAY, shlex.split(line, comments=True)[1:]
    context = None
    while hasattr(command, "commands"):
        if not words:  # a group that is named by itself
            return
        context = command.make_context(command.name, list(words), parent=context)
        _, command, words = command.resolve_command(context, list(words))
    command.make_context(command.name, words, parent=context)


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(path):
    (epilog,) = [command.epilog for found, command in commands() if found == path]
    assert epilog.startswith(f"Example: fairway {' '.join(path)}")


@pytest.mark.parametrize("line", sorted({*examples_of_the_help(), *command_lines_of_the_documents()}))
def test_an_example_is_taken(line):
    parse(line)


@pytest.mark.parametrize("line", sorted(set(commands_named_in_the_text())))
def test_what_a_document_names_is_there(line):
    """Its command and options exist; what the command needs besides may be left out."""
    try:
        parse(line)
    except Exception as error:  # noqa: BLE001 typer names its errors nowhere that is public
        said = error.format_message()
        assert re.search(r"^Missing|requires an argument", said), said


def test_a_wrong_example_would_be_found():
    with pytest.raises(Exception, match="No such option: --colour"):
        parse("fairway status --colour")
    assert len(command_lines_of_the_documents()) > 10
