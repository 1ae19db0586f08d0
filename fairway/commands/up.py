"""`fairway up` and `fairway down`: the local AWS, with the project deployed on it."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.config.sections import LOCAL, read_config
from fairway.stage.aws import contract_of, default_state_folder, remember_state_folder, state_folder
from fairway.stage.change import refuse_breaking
from fairway.stage.folder import keep_out_of_git
from fairway.terminal.command import HERE, Breaking, Json, Project, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Interrupted, Refused
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command("up", epilog="Example: fairway up --port 4566 --enforce-iam")
def up_command(
    project: Project = HERE,
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0: the one used last, or a free one.", min=0, max=65535)
    ] = 0,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for the state of the local AWS. Default: DIR/.fairway/local", metavar="DIR"),
    ] = None,
    enforce_iam: Annotated[
        bool, typer.Option("--enforce-iam", help="Enforce the policies of roles, as AWS does.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over a state folder made by somebody else or on another machine.")
    ] = False,
    breaking: Breaking = False,
    json: Json = False,
) -> None:
    """Start the local AWS, or find it running, and deploy the project on it."""
    run(
        lambda progress: up(
            project,
            port=port,
            state=state,
            enforce_iam=enforce_iam,
            adopt=adopt,
            breaking=breaking,
            progress=progress,
        ),
        json=json,
        project=project,
    )


@app.command("down", epilog="Example: fairway down")
def down_command(project: Project = HERE, json: Json = False) -> None:
    """Stop the local AWS. Its state is kept for the next `fairway up`."""
    run(lambda progress: down(project, progress=progress), json=json, project=project)


def up(
    folder: Path,
    *,
    port: int,
    state: Path | None,
    enforce_iam: bool,
    adopt: bool,
    breaking: bool = False,
    progress: Progress,
) -> Done:
    """Start and deploy. Idempotent: a running server is found, and its deployment is updated.

    Refused for a contract that breaks a release that answers, unless `breaking`; the local AWS continues unchanged
    then.
    """
    _refuse_windows()
    # lazy: the local AWS is imported where it can run, and not for help
    from local.cdk import DeployFailed
    from local.deploy import deploy
    from local.profile import variables
    from local.start import start
    from local.state import LocalError, turn

    config = read_config(folder)
    contract_of(folder, config)
    state = state.absolute() if state else state_folder(folder)
    try:
        with turn(state, waiting=lambda: progress("Waiting for another `fairway up` in this folder to end")):
            progress("Starting the local AWS")
            server = start(folder, port, state, enforce_iam, adopt=adopt)
            remember_state_folder(folder, state)
            if state == default_state_folder(folder):
                keep_out_of_git(folder)
            refuse_breaking(folder, LOCAL, confirmed=breaking, command="fairway up", progress=progress)
            progress(f"Deploying {config.project.name} on {server['endpoint']}")
            deployed = deploy(folder, endpoint=server["endpoint"], stage=LOCAL, progress=progress.detail)
    except LocalError as error:
        raise Refused("local", str(error)) from None
    except DeployFailed as error:
        raise Failed("deploy", str(error)) from None
    except KeyboardInterrupt:
        raise Interrupted(goes_on(state)) from None
    values = {
        "stage": LOCAL,
        "endpoint": server["endpoint"],
        "port": server["port"],
        "enforce_iam": server["enforce_iam"],
        "api_url": deployed["address_book"]["api_url"],
        "changed": deployed["changed"],
        "state": str(state),
        "environment": variables(state),
    }
    what = "deployed" if deployed["changed"] else "deployed already"
    return Done(
        values,
        [
            f"the local AWS runs at {server['endpoint']} and keeps its state in {state}",
            f"project {config.project.name} is {what}; its API: {values['api_url']}",
            f"to reach it with the AWS CLI and SDKs: export {exported(values['environment'])}",
        ],
        "`fairway load FILE...` loads rows into the lake; `fairway down` stops the local AWS",
    )


def exported(variables: dict[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def _refuse_windows() -> None:
    """Refuse Windows: the local AWS needs Unix processes, locks and signals; all other commands run anywhere."""
    if sys.platform == "win32":
        raise Refused(
            "local", "the local AWS runs on Linux and macOS; on Windows use the Windows Subsystem for Linux, or --stage"
        )


def goes_on(state: Path) -> str:
    from local.start import running

    if running(state):
        return "stopped deploying; the local AWS keeps running. `fairway up` resumes, `fairway down` stops it"
    return "stopped while starting; nothing is left running. `fairway up` starts again"


def down(folder: Path, *, progress: Progress) -> Done:
    _refuse_windows()
    from local.start import stop
    from local.state import LocalError

    if not (folder / "fairway.toml").exists():
        read_config(folder)  # refuses; if a project's settings are wrong, it can still be stopped
    state = state_folder(folder)
    progress("Stopping the local AWS")
    try:
        stopped = stop(state)
    except LocalError as error:
        raise Refused("local", str(error)) from None
    said = "the local AWS is stopped" if stopped else "the local AWS was not running"
    kept = f"its state is kept in {state}" if state.exists() else f"it has no state yet: {state} does not exist"
    return Done({"stopped": stopped, "state": str(state)}, [f"{said}; {kept}"], "`fairway up` starts it")
