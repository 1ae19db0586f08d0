"""`fairway import`: a model made elsewhere becomes the only candidate of a run, and goes through the usual gate.

The model is opened by `python -m model_code.importing`, in a process of its own; it is never loaded here.
"""

import hashlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from domain import lake
from domain.contract import schema as contract_rules
from domain.timestamps import iso
from domain.train.windows import overlapping, run_name, training_window
from fairway.commands.train import is_on_its_way, lines, next_step, request, verdict, waited_for
from fairway.scratch import die_with_parent, scratch
from fairway.stage import executions, records
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.tables.rows import read_rows
from fairway.terminal.command import HERE, AsOf, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Interrupted, Refused
from fairway.terminal.progress import Progress

ROOT = Path(__file__).parents[2]
MOST_ANSWERS = 10_000
ONLY_ITS_MAKER = (
    "only its author knows whether it was trained on the held-out rows; if it was, it looks better than "
    "it is, and keeps honest models out"
)
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "import",
    epilog="Example: fairway import churn.joblib --trust   or: fairway import net.pth --module net.py:Net --trust. "
    "docs/import.md lists the files, and how inputs map to the contract. Exit code 0 for a rejected release too.",
)
def import_command(  # noqa: PLR0913 - one argument for each option
    file: Annotated[
        Path,
        typer.Argument(
            help="joblib, pickle, skops, ONNX, PyTorch, Keras or TensorFlow: a file or a SavedModel folder."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="The candidate's name. Default: the file's.", metavar="N")] = None,
    module: Annotated[str | None, typer.Option(help="Class of a PyTorch state dict.", metavar="FILE.py:CLASS")] = None,
    encoding: Annotated[
        str, typer.Option(help="Encoding of categories in a matrix: ordinal or one-hot.", metavar="ENCODING")
    ] = "ordinal",
    answers: Annotated[
        Path | None,
        typer.Option(help="Answers of the original model: features and a column `answer`.", metavar="FILE"),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="You trust the author of the file. Pickles and .pt2 are refused without it.")
    ] = False,
    project: Project = HERE,
    stage: StageName = "local",
    as_of: AsOf = None,
    wait: Annotated[
        bool, typer.Option(help="If release.approve_imported is auto: follow it until it is champion.")
    ] = True,
    json: Json = False,
) -> None:
    """Evaluate and judge a model made elsewhere like a trained one; then a person approves it."""
    options = {"name": name, "module": module, "encoding": encoding, "answers": answers, "trust": trust}
    run(
        lambda progress: import_model(project, stage, file, options=options, as_of=as_of, wait=wait, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def import_model(
    folder: Path, stage_name: str, file: Path, *, options: dict, as_of: str | None, wait: bool, progress: Progress
) -> Done:
    """Import a model; `options` are {name, module, encoding, answers, trust}, as given to the command."""
    name = _checked_name(options["name"] or re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:40])
    if not file.exists():
        raise Refused("file", f"{file}: No such file or directory")
    stage = connected(folder, stage_name, progress)
    asked = request(stage, as_of=as_of, window_days=None, progress=progress)
    with scratch("import") as scratch_folder:
        model = {**options, **_told_by_files(stage, options), "file": str(file.absolute()), "name": name}
        made = convert(stage, model, asked, scratch_folder, progress=progress)
        run, execution = start(stage, name, Path(made.pop("artefact")), asked, progress=progress)
    follow(stage, run, execution, progress=progress)
    values = {**verdict(stage, run), "imported": made}
    role = waited_for(stage, values["release"], progress=progress) if wait and is_on_its_way(values) else None
    return Done(values, [*told_of(made), *lines(values, role=role), ONLY_ITS_MAKER], next_step(values, role=role))


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Refused("name", f"--name {name!r}: must be 1 to 40 lower-case letters, digits, dashes and underscores")
    return name


def _told_by_files(stage: Stage, options: dict) -> dict:
    """Return the files that options name, with absolute paths as the process needs them: FILE.py:CLASS, and rows."""
    file, _, name = (options["module"] or "").rpartition(":")
    answers = options["answers"]
    return {
        "module": f"{Path(file).absolute()}:{name}" if file else options["module"],
        "answers": list(islice(read_rows(answers, stage.contract), MOST_ANSWERS)) if answers else [],
    }


# ---- the conversion


def convert(stage: Stage, model: dict, asked: dict, scratch: Path, *, progress: Progress) -> dict:
    """Return {artefact: model.tar.gz, format, compared, ...} from the process that may open the model."""
    progress("Reading rows of the lake to try the model on")
    order = {
        **model,
        "contract": contract_rules.as_dict(stage.contract),
        "rows": [str(part) for part in _newest_part(stage, asked, scratch)],
        "folder": str(scratch),
        "code_version": stage.addresses["image"].rpartition(":")[2],
    }
    (scratch / "request.json").write_text(json.dumps(order))
    progress(f"Converting {Path(model['file']).name} and comparing its answers, in a process of its own")
    words = [sys.executable, "-m", "model_code.importing", str(scratch / "request.json")]
    done = subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=die_with_parent,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Failed("import_failed", f"the process that converts the model ended with {last}") from None
    if "refused" in said:
        raise Refused("model_refused", said["refused"])
    if not said["closed_off"]:
        progress("Note: this system has no namespaces; the model was opened in a process with a network")
    return said


def _newest_part(stage: Stage, asked: dict, scratch: Path) -> list[Path]:
    """Return the newest rows of the window, which a model must be able to answer before it is released."""
    data = stage.config.data
    window = training_window(as_of=asked["as_of"], window_days=data.window_days, evaluate_days=data.evaluate_days)
    loads = [load for load in records.runs(stage, "load") if load.get("contract_hash") == stage.contract.hash]
    parts = [part for load in loads for part in json.loads(load["parts"])]
    within = overlapping(parts, window["train_start"], window["as_of"])
    if not within:
        raise Refused(
            "no_rows", f"the lake has no rows from {window['train_start']} to {window['as_of']} to try the model on"
        )
    newest = max(within, key=lambda part: (part["last"] or "", part["key"]))
    file = scratch / "rows.parquet"
    stage.client("s3").download_file(stage.addresses["lake"], newest["key"], str(file))
    return [file]


def told_of(made: dict) -> list[str]:
    """Report what serves the model and with which answers it was compared: an ONNX file was not converted here."""
    by = {"plan": "a plan", "onnx": "ONNX Runtime", "sklearn": "scikit-learn"}[made["format"]]
    compared, given, was_onnx = made["compared"], made["compared_with_given"], made["file_format"] == "onnx"
    served = f"{made['file']} ({made['file_format']}) is served by {by}"
    told = [
        f"{served}, which answers {compared['rows']:,} rows of the lake"
        if was_onnx
        else f"{served}: {compared['rows']:,} rows answered as its own framework does, {within(compared)}"
    ]
    if given:
        told.append(f"{given['rows']:,} answers of --answers are given again, {within(given)}")
    elif was_onnx:
        told.append("the answers of the original model are unknown; --answers FILE compares them")
    return told


def within(compared: dict) -> str:
    return f"within {compared['largest_difference']:.1g}"


# ---- the run


def start(stage: Stage, name: str, artefact: Path, asked: dict, *, progress: Progress) -> tuple[str, str]:
    """Start a run, and return its name and execution.

    The artefact is where a training job's would be, and is evaluated like it.
    """
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()[:8]  # another model in the same second is another run
    run = f"{run_name('import', asked['as_of'], iso(datetime.now(UTC)))}-{digest}"
    key = f"{lake.artefacts_prefix(run)}{name}/imported/output/model.tar.gz"
    stage.client("s3").upload_file(str(artefact), stage.addresses["artefacts"], key)
    progress(f"Starting {run}")
    values = {"run": run, **asked, "imported": True}
    return run, executions.start(stage.client("stepfunctions"), stage.addresses["train"], name=run, values=values)


def follow(stage: Stage, run: str, execution: str, *, progress: Progress) -> None:
    try:
        executions.follow(stage, execution, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped watching; {run} continues in stage {stage.config.stage!r}; `fairway releases` shows its verdict"
        ) from None
