"""`fairway check`: report every problem in fairway.toml and the contract at once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.config.sections import LOCAL, TASKS, ConfigError, problems_of, read_config, read_toml, stages
from domain.contract.file import read_contract
from domain.contract.schema import Contract
from domain.request.limits import LARGEST_ROW_CHARACTERS
from fairway.stage.change import as_records, effects_on, refuse
from fairway.terminal.command import HERE, Json, Project, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused

app = typer.Typer(rich_markup_mode=None)


@app.command("check", epilog="Example: fairway check --against prod")
def check_command(
    project: Project = HERE,
    against: Annotated[
        str | None,
        typer.Option(
            help="Also report what the contract changes for the releases that answer in this stage.", metavar="STAGE"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Validate fairway.toml and the contract; list every problem at once."""
    run(lambda progress: check(project, against=against), json=json, project=project)


def check(folder: Path, *, against: str | None = None) -> Done:
    """List the problems of both files. Refused for any problem, and if a release of the stage `against` breaks."""
    problems = _problems_in(folder)
    if problems:
        raise Refused("config", "\n".join(problems))
    config = read_config(folder)
    contract = read_contract(folder / config.project.contract, config.project.task)
    if _characters_of_a_row(contract) > LARGEST_ROW_CHARACTERS:
        raise Refused(
            "config",
            f"{folder / config.project.contract}: a row of {len(contract.features):,} features has about "
            f"{_characters_of_a_row(contract):,} characters: must be at most {LARGEST_ROW_CHARACTERS:,} in a request; "
            'set role = "ignored" for columns that can be spared, or give them shorter names',
        )
    names = [LOCAL, *stages(folder)]
    effects = effects_on(folder, against) if against else []
    refuse(effects, f"a deployment to {against} needs --breaking; rows that a release")
    values: dict[str, Any] = {
        "ok": True,
        "project": config.project.name,
        "stages": names,
        "contract": contract.name,
        "contract_hash": contract.hash,
        "columns": len(contract.columns),
        **({"changes": as_records(effects)} if against else {}),
    }
    return Done(
        values,
        [
            f"{folder / 'fairway.toml'}: fine; project {config.project.name}, stages {', '.join(names)}",
            (
                f"{folder / config.project.contract}: fine; {len(contract.columns)} columns, "
                f"{len(contract.features)} of them features, target {contract.target.name!r} ({contract.task})"
            ),
            *(effect.sentence for effect in effects),
            *([f"{against}: every release that answers continues to answer under this contract"] if against else []),
        ],
        "`fairway up` starts the local AWS with the project deployed",
    )


CHARACTERS_OF_A_VALUE = 12  # a number of eight digits, with quotes, colon and comma around its name


def _characters_of_a_row(contract: Contract) -> int:
    """Estimate the number of characters of one row in a request."""
    return sum(len(column.name) + CHARACTERS_OF_A_VALUE for column in contract.to_score if column.role != "ignored")


def _problems_in(folder: Path) -> list[str]:
    """Describe every problem of both files; the contract is read even if fairway.toml has other mistakes."""
    file = folder / "fairway.toml"
    try:
        document = read_toml(file)
    except ConfigError as error:
        return str(error).splitlines()
    problems = [f"{file}: {problem}" for problem in problems_of(document)]
    project = document.get("project")
    if isinstance(project, dict) and isinstance(project.get("contract"), str) and project.get("task") in TASKS:
        try:
            read_contract(folder / project["contract"], project["task"])
        except ConfigError as error:
            problems += _contract_problems(error, folder / project["contract"])
    return problems


def _contract_problems(error: ConfigError, file: Path) -> list[str]:
    if file.exists():
        return str(error).splitlines()
    return [f"{file}: not found; project.contract names the contract's file, relative to fairway.toml"]
