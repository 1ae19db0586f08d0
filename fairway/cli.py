"""The `fairway` command: what can be asked and how; every answer is worked out in the module named after the command.

Modules are imported inside the commands, so that help and refusals cost no import of the AWS SDK or Arrow.
"""

import json as json_text
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fairway.commands import money as cost_commands
from fairway.terminal.command import HERE, Json, Project, Stage, run
from fairway.terminal.errors import Failed, FairwayError, Interrupted, Refused, explained
from fairway.terminal.plain import plain
from fairway.terminal.signals import interruptible

app = typer.Typer(
    name="fairway",
    help="Takes a model from data to production: on this machine by default, on AWS with --stage.",
    epilog="Start with `fairway init --data FILE --target COLUMN`, or in the reference project with `fairway up`.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

AsOf = Annotated[str | None, typer.Option(help="The moment it is: ISO 8601, e.g. 2013-04-01.", metavar="T")]


@app.command(epilog="Example: fairway init --data flights.csv --target late --out flights")
def init(
    data: Annotated[
        Path, typer.Option(help="A table with a header: CSV (also .gz), JSON Lines or Parquet.", metavar="FILE")
    ],
    target: Annotated[str, typer.Option(help="The column to predict.", metavar="COLUMN")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where fairway.toml and contract.toml go; else the project's folder.", metavar="DIR"),
    ] = None,
    project: Project = HERE,
    json: Json = False,
):
    """Draft fairway.toml and the contract from a table."""
    from fairway.commands.init import init

    run(lambda progress: init(data, target=target, out=out or project, progress=progress), json=json)


@app.command(epilog="Example: fairway check --project flights")
def check(project: Project = HERE, json: Json = False):
    """Validate fairway.toml and the contract; list every problem at once."""
    from fairway.commands.check import check

    run(lambda progress: check(project), json=json, project=project)


@app.command(epilog="Example: fairway up --port 4566 --enforce-iam")
def up(
    project: Project = HERE,
    port: Annotated[int, typer.Option(help="0 takes the port used last, or a free one.", min=0, max=65535)] = 0,
    state: Annotated[
        Path | None, typer.Option(help="What AWS holds here. Default: DIR/.fairway/local", metavar="DIR")
    ] = None,
    enforce_iam: Annotated[
        bool, typer.Option("--enforce-iam", help="Check what a role's policies allow, as AWS does.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over a state folder that somebody else or another machine made.")
    ] = False,
    json: Json = False,
):
    """Start AWS on this machine, or find it running, and deploy the project on it."""
    from fairway.commands.up import up

    run(
        lambda progress: up(project, port=port, state=state, enforce_iam=enforce_iam, adopt=adopt, progress=progress),
        json=json,
        project=project,
    )


@app.command(epilog="Example: fairway down")
def down(project: Project = HERE, json: Json = False):
    """Stop AWS on this machine. What it holds stays for the next `fairway up`."""
    from fairway.commands.up import down

    run(lambda progress: down(project, progress=progress), json=json, project=project)


@app.command(epilog="Example: fairway load data/2013-01.csv data/2013-02.csv.gz")
def load(
    files: Annotated[
        list[Path], typer.Argument(help="CSV (also .gz), JSON Lines or Parquet files.", metavar="FILE...")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Count them instead of what files of the same names held before.")
    ] = False,
    project: Project = HERE,
    stage: Stage = "local",
    json: Json = False,
):
    """Rows into the lake. All files are read and checked first; a file that is loaded already changes nothing."""
    from fairway.commands.load import load

    run(
        lambda progress: load(project, stage, files, replace=replace, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command(
    epilog="Example: fairway train --as-of 2013-04-01 --window 90. Without --as-of it is the moment after the newest "
    "loaded row. A rejected release is a judgement, not a failure: exit code 0, and the verdict says rejected."
)
def train(
    project: Project = HERE,
    stage: Stage = "local",
    as_of: AsOf = None,
    window: Annotated[
        int | None, typer.Option(help="Days to look back, instead of data.window_days.", metavar="D", min=1)
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Where approval is automatic: follow an approved release until it is champion.")
    ] = True,
    json: Json = False,
):
    """A training run to its verdict. The same command again attaches to a run that is still going."""
    from fairway.commands.train import train

    run(
        lambda progress: train(project, stage, as_of=as_of, window_days=window, wait=wait, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command(
    name="import",
    epilog="Example: fairway import churn.joblib --trust   or: fairway import net.pth --module net.py:Net --trust. "
    "docs/import.md says what is taken and how inputs map to the contract. Exit code 0 for a rejected release too.",
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="joblib, pickle, skops, ONNX, PyTorch, Keras or TensorFlow: a file or a SavedModel folder."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="The candidate's name. Default: the file's.", metavar="N")] = None,
    module: Annotated[
        str | None, typer.Option(help="The class of a PyTorch state dict.", metavar="FILE.py:CLASS")
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="How a matrix has categories: ordinal or one-hot.", metavar="ENCODING")
    ] = "ordinal",
    answers: Annotated[
        Path | None,
        typer.Option(help="What it answered where it was made: features and a column `answer`.", metavar="FILE"),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="You trust whoever made the file. Pickles and .pt2 are refused without it.")
    ] = False,
    project: Project = HERE,
    stage: Stage = "local",
    as_of: AsOf = None,
    wait: Annotated[
        bool, typer.Option(help="Where approval is automatic: follow an approved release until it is champion.")
    ] = True,
    json: Json = False,
):
    """A model made elsewhere, through the same evaluation and gate as a trained one."""
    from fairway.commands.import_model import import_model

    options = {"name": name, "module": module, "encoding": encoding, "answers": answers, "trust": trust}
    run(
        lambda progress: import_model(project, stage, file, options=options, as_of=as_of, wait=wait, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command(
    epilog="""Example: fairway predict --json '{"carrier": "UA", "origin": "EWR"}'. Always prints a JSON list."""
)
def predict(
    json: Annotated[str | None, typer.Option(help="A row, or a list of rows, as JSON.", metavar="ROWS")] = None,
    file: Annotated[Path | None, typer.Option(help="Rows as CSV, JSON, JSON Lines or Parquet.", metavar="FILE")] = None,
    project: Project = HERE,
    stage: Stage = "local",
):
    """Signed requests to the API: a list of {id, entity_id, prediction, probability, release, role, source, reason}."""
    from fairway.commands.predict import predict

    run(
        lambda progress: predict(project, stage, text=json, file=file, progress=progress),
        json=True,
        project=project,
        stage=stage,
    )


@app.command(epilog="Example: fairway batch data/2013-04.csv   or: fairway batch s3://LAKE/batch/incoming/")
def batch(
    source: Annotated[
        str, typer.Argument(help="A table on this machine, or a file or folder of the lake.", metavar="FILE|S3URI")
    ],
    project: Project = HERE,
    stage: Stage = "local",
    as_of: AsOf = None,
    store: Annotated[
        bool, typer.Option(help="Each prediction into the table too, to be looked up; else as Parquet only, for less.")
    ] = True,
    json: Json = False,
):
    """One batch run to its end. The same command again attaches to it, resumes it, or finds it done."""
    from fairway.commands.batch import batch

    run(
        lambda progress: batch(project, stage, source, as_of=as_of, store=store, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command(epilog="Example: fairway outcomes arrivals.csv")
def outcomes(
    file: Annotated[
        Path, typer.Argument(help="Columns entity_id or prediction_id, outcome, event_time; or the contract's own.")
    ],
    project: Project = HERE,
    stage: Stage = "local",
    json: Json = False,
):
    """What really happened, joined to the predictions."""
    from fairway.commands.outcomes import outcomes

    run(lambda progress: outcomes(project, stage, file, progress=progress), json=json, project=project, stage=stage)


@app.command(epilog="Example: fairway status --stage prod --json")
def status(project: Project = HERE, stage: Stage = "local", json: Json = False):
    """Who answers now."""
    from fairway.commands.status import status

    run(lambda progress: status(project, stage), json=json, project=project, stage=stage)


@app.command(epilog="Example: fairway releases")
def releases(project: Project = HERE, stage: Stage = "local", json: Json = False):
    """Every release, its state, its quality and why."""
    from fairway.commands.releases import releases

    run(lambda progress: releases(project, stage), json=json, project=project, stage=stage)


@app.command(epilog="Example: fairway promote r-20130401-1a2b3c4d")
def promote(
    release: Annotated[str, typer.Argument(help="As `fairway releases` lists it.", metavar="RELEASE")],
    project: Project = HERE,
    stage: Stage = "local",
    json: Json = False,
):
    """Let a release answer everybody: approved if it waits for that, deployed and tried if it is not up."""
    from fairway.commands.releases import promote

    run(lambda progress: promote(project, stage, release, progress=progress), json=json, project=project, stage=stage)


@app.command(epilog="Example: fairway rollback")
def rollback(project: Project = HERE, stage: Stage = "local", json: Json = False):
    """Let the champion before this one answer again."""
    from fairway.commands.releases import rollback

    run(lambda progress: rollback(project, stage, progress=progress), json=json, project=project, stage=stage)


@app.command(epilog="Example: fairway report --out report.html")
def report(
    project: Project = HERE,
    stage: Stage = "local",
    out: Annotated[
        Path | None, typer.Option(help="The page to write. Default: DIR/report.html", metavar="FILE")
    ] = None,
    json: Json = False,
):
    """One page for who decides: who answers, how sure it is, what if it fails, what it costs, is it worth it."""
    from fairway.report.gather import report

    run(lambda progress: report(project, stage, out=out, progress=progress), json=json)


app.add_typer(cost_commands.app)  # cost, prices refresh, resume


def main(arguments: list[str] | None = None) -> int:
    """Run one command: exit code 0 done, 1 it failed, 2 asked wrongly, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with interruptible():
            code = app(arguments or ["--help"], standalone_mode=False)
        if code != Interrupted.exit_code:
            return code or 0
        failure = Interrupted()
    except typer.TyperException as error:
        command = f" {error.ctx.info_name}" if getattr(error, "ctx", None) and error.ctx.parent else ""
        failure = Refused(
            "usage", f"{error.format_message().rstrip('.')}; `fairway{command} --help` shows what is allowed"
        )
    except Exception as error:
        failure = explained(error) or unforeseen(error)
    tell(failure, as_json="--json" in arguments or arguments[:1] == ["predict"])
    return failure.exit_code


def unforeseen(error: Exception) -> Failed:
    """A fault of ours: the traceback goes to standard error, for whoever reports it."""
    traceback.print_exception(error)
    return Failed("internal", f"{type(error).__name__}: {error}; this is a fault of fairway, please report it")


def tell(failure: FairwayError, *, as_json: bool) -> None:
    if as_json:
        print(plain(json_text.dumps({"error": failure.error, "message": failure.message}, ensure_ascii=False)))
    else:
        print(plain(f"error: {failure.message}"), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
