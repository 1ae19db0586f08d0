"""`fairway openapi`: the API of a project in OpenAPI, for code generators and for people."""

import json as json_
from pathlib import Path
from typing import Annotated

import typer

from domain.config.sections import read_config
from domain.contract.file import read_contract
from domain.request.openapi import document
from fairway.terminal.command import HERE, Json, Project, run
from fairway.terminal.done import Done

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "openapi",
    epilog="Example: fairway openapi --project shop   or: fairway openapi --url https://abc123.execute-api.eu-west-1.amazonaws.com",
)
def openapi_command(
    url: Annotated[
        str, typer.Option(help="Address of the stage, as `fairway status --json` has it.", metavar="URL")
    ] = ".",
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Print the project's API in OpenAPI 3.0.3: its routes, and what the contract allows in a row.

    A deployed stage serves the same at GET /openapi.json.
    """
    run(lambda progress: openapi(project, url), json=json, project=project)


def openapi(folder: Path, url: str) -> Done:
    config = read_config(folder)
    contract = read_contract(folder / config.project.contract, config.project.task)
    described = document(contract, project=config.project.name, url=url)
    following = "give it to a code generator, or open it in Swagger UI"
    return Done(described, json_.dumps(described, indent=2, ensure_ascii=False).splitlines(), following)
