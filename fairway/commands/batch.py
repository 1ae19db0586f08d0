"""`fairway batch`: score a table to its end.

The run's name is made of its input and its release, so the same command attaches to the run while it is in progress,
resumes it after it was killed, and finds its result afterwards.
"""

import hashlib
import itertools
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from domain import lake
from domain.runs import BatchItem, RunStatus
from domain.timestamps import iso, parse_timestamp
from fairway.scratch import scratch
from fairway.stage import executions, records
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.tables.folders import files_of, with_passed_over
from fairway.terminal.command import HERE, AsOf, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Interrupted, Refused
from fairway.terminal.progress import Progress

COUNTS = ("read", "quarantined", "scored", "written", "seconds")

app = typer.Typer(rich_markup_mode=None)


@app.command("batch", epilog="Example: fairway batch data/2013-04.csv   or: fairway batch s3://LAKE/batch/incoming/")
def batch_command(
    source: Annotated[
        str,
        typer.Argument(
            help="A table or a folder of tables on this machine, or of the lake.", metavar="FILE|FOLDER|S3URI"
        ),
    ],
    project: Project = HERE,
    stage: StageName = "local",
    as_of: AsOf = None,
    store: Annotated[
        bool,
        typer.Option(help="Also store predictions in the table, to look them up; Parquet only costs less."),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the table's rows with their predictions to this CSV file.", metavar="FILE.csv"),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Score again what was already scored with this release.")
    ] = False,
    json: Json = False,
) -> None:
    """Score a table or a folder of the lake. The same command attaches to its run, resumes it, or finds it done.

    Of a folder of the lake, only files that no batch has scored with this release and contract are scored.
    """
    asked = Asked(source, as_of, store, again)
    run(
        lambda progress: batch(project, stage, asked, out=out, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


class Asked(NamedTuple):
    """What to score and how: without `store` predictions are Parquet only, `again` scores what was scored before."""

    source: str
    as_of: str | None
    store: bool
    again: bool

    @property
    def command(self) -> str:
        """Return the command that requests exactly this run."""
        flags = [*([] if self.store else ["--no-store"]), *(["--again"] if self.again else [])]
        return shlex.join(["fairway", "batch", self.source, *(["--as-of", self.as_of] if self.as_of else []), *flags])


def batch(folder: Path, stage_name: str, asked: Asked, *, out: Path | None = None, progress: Progress) -> Done:
    """Score a file or S3 URI; `out` gets the file's rows with their predictions."""
    source, as_of, store, again = asked
    if out is not None:
        _refuse_out(source, out)
    if as_of is not None and parse_timestamp(as_of) is None:
        raise Refused(
            "window", f"--as-of {as_of!r}: must be an ISO 8601 date or time such as 2013-04-01 or 2013-04-01T00:00:00Z"
        )
    stage = connected(folder, stage_name, progress)
    if source.startswith("s3://"):
        (content, skipped), uri = listed(stage, source), source
    else:
        progress(f"Reading {Path(source).name}")
        files, aside = files_of(Path(source))
        content, uri = "\n".join(fingerprint(file, stage) for file in files), None
        skipped = aside + [title for file in files for title in _titles(file)]
    run = _run_of(stage, content, as_of, store)
    run = repeated(stage, run) if again else run
    record = records.run(stage, "batch", run) or {}
    already = record.get("status") == RunStatus.SUCCEEDED
    if not already:
        arn = going(stage, run, progress)
        if arn is None:
            place = uri or uploaded(stage, run, Path(source), progress)
            only_new = uri is not None and as_of is None and not again
            values = {"input": place, "store": store, "only_new": only_new}
            arn = started(stage, run, values, as_of, record, progress)
        watch(stage, run, arn, asked.command, progress)
        record = records.run(stage, "batch", run) or {}
    done = summary(run, record, predictions=predictions_of(stage, run), store=store, already=already)
    done = with_passed_over(done, skipped)
    return done if out is None else _with_file(stage, run, Path(source), out, done, progress)


def _refuse_out(source: str, out: Path) -> None:
    """Refuse an --out that cannot be written, before anything is scored."""
    if source.startswith("s3://") or Path(source).is_dir():
        raise Refused("out", f"--out {out}: must be used with a FILE on this machine, not with a folder or an S3 URI")
    if out.suffix != ".csv" or not out.parent.is_dir() or out.resolve() == Path(source).resolve():
        raise Refused("out", f"--out {out}: must be another file, named .csv, in a folder that exists")


def _with_file(stage: Stage, run: str, source: Path, out: Path, done: Done, progress: Progress) -> Done:
    """Write `out` from the run's predictions, and report it."""
    from fairway.tables.scored import write_scored  # imports Arrow, which help must not load

    progress(f"Writing {out.name}")
    s3, bucket = stage.client("s3"), stage.addresses["lake"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=lake.batch_prefix(run, "predictions"))
    keys = [found["Key"] for page in pages for found in page.get("Contents", []) if found["Key"].endswith(".parquet")]
    with scratch("batch") as folder:
        parts = [folder / f"{number}.parquet" for number in range(len(keys))]
        for key, part in zip(keys, parts, strict=True):
            s3.download_file(bucket, key, str(part))
        predicted = write_scored(source, parts, out)
    values = {**done.values, "out": str(out)} if isinstance(done.values, dict) else done.values
    written = f"{out}: the rows of {source.name}, {predicted:,} of them with a prediction"
    return replace(done, values=values, lines=[*done.lines, written])


def fingerprint(file: Path, stage: Stage) -> str:
    """Return what identifies the file: its name and bytes. Refused if its first rows cannot be read."""
    from model_code.rows.tables import FileRefused, read_table  # imports Arrow, which help must not load

    try:
        next(read_table(file, stage.contract, with_target=False))
        with file.open("rb") as opened:
            return f"{file.name}:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    except FileRefused as error:
        raise Refused("file", str(error)) from None


def _titles(file: Path) -> list[str]:
    """Return the lines above the header of a CSV file."""
    from model_code.rows.tables import titles_above  # imports Arrow, which help must not load

    return list(titles_above(file))


def listed(stage: Stage, uri: str) -> tuple[str, list[str]]:
    """Return what identifies the objects below an S3 URI, and the names of those that are not data."""
    try:
        bucket, prefix = lake.split_uri(uri)
    except ValueError as error:
        raise Refused("uri", str(error)) from None
    if bucket != stage.addresses["lake"]:
        lakes = f"s3://{stage.addresses['lake']}/batch/incoming/"
        here = f" --endpoint-url {stage.endpoint}" if stage.is_local else ""
        copy = f"aws s3 cp --recursive {uri} {lakes}{here}"
        raise Refused("uri", f"{uri}: must be in the lake; copy it there first: {copy}; or give a file on this machine")
    pages = stage.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    every = [one for page in pages for one in page.get("Contents", [])]
    skipped = [one["Key"].removeprefix(prefix) for one in every if lake.is_aside(one["Key"].removeprefix(prefix))]
    versions = [
        f"{one['Key']}:{one['ETag']}"
        for one in every
        if one["Size"] and not lake.is_aside(one["Key"].removeprefix(prefix))
    ]
    if not versions:
        raise Refused("uri", f"{uri}: must have a file; `aws s3 ls s3://{bucket}/` lists what there is")
    return "\n".join(versions), skipped


def _run_of(stage: Stage, content: str, as_of: str | None, store: bool) -> str:
    champion = records.routing(stage)["champion"]
    parts = [content, champion["release"] if champion else "none", as_of or "", *([] if store else ["not stored"])]
    return "batch-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def repeated(stage: Stage, run: str) -> str:
    """Return the first repetition of the run that has not succeeded yet, so that a killed repetition is resumed."""
    names = (f"{run}-{number}" for number in itertools.count(2))
    return next(name for name in names if (records.run(stage, "batch", name) or {}).get("status") != "SUCCEEDED")


def predictions_of(stage: Stage, run: str) -> str:
    """Return where the run's predictions are as Parquet."""
    return lake.uri(stage.addresses["lake"], lake.batch_prefix(run, "predictions"))


def uploaded(stage: Stage, run: str, source: Path, progress: Progress) -> str:
    """Return the lake's folder that holds the file, or the files of the folder."""
    bucket, prefix = stage.addresses["lake"], lake.batch_prefix(run, "input")
    for file in files_of(source)[0]:
        progress(f"Uploading {file.name}")
        name = file.relative_to(source).as_posix() if source.is_dir() else file.name
        stage.client("s3").upload_file(str(file), bucket, prefix + name)
    return lake.uri(bucket, prefix)


def going(stage: Stage, run: str, progress: Progress) -> str | None:
    """Return the ARN of the run's current execution."""
    for execution in executions.running(stage.client("stepfunctions"), stage.addresses["batch"]):
        if execution["input"].get("run") == run:
            progress(f"Attaching to {run}, which is in progress")
            return execution["arn"]
    return None


def started(stage: Stage, run: str, asked: dict, as_of: str | None, record: BatchItem, progress: Progress) -> str:
    """Start a new execution of the run; rows that an earlier one has scored stay scored, as of the same time."""
    given = parse_timestamp(as_of) if as_of else None
    moment = iso(given) if given else record.get("as_of") or iso(datetime.now(UTC).replace(microsecond=0))
    progress(f"Resuming {run}" if record else f"Starting {run}")
    states, machine, values = (
        stage.client("stepfunctions"),
        stage.addresses["batch"],
        {"run": run, **asked, "as_of": moment},
    )
    if not record:  # one name for the first try, so that two commands at once start one execution
        try:
            return executions.start(states, machine, name=run, values=values)
        except states.exceptions.ExecutionAlreadyExists:
            arn = going(stage, run, progress)
            if arn:
                return arn
    return executions.start(states, machine, name=executions.unique(run), values=values)


def watch(stage: Stage, run: str, arn: str, command: str, progress: Progress) -> None:
    try:
        executions.follow(stage, arn, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped watching; {run} continues in stage {stage.config.stage!r}; `{command}` attaches to it"
        ) from None
    except Failed as error:
        raise Failed(error.error, f"{error.message}; `{command}` scores the rest") from None


def summary(run: str, record: BatchItem, *, predictions: str, store: bool, already: bool) -> Done:
    if not all(key in record for key in COUNTS):
        raise Failed("no_counts", f"{run} ended without counts; its record: {record}")
    values = {
        "run": run,
        **{key: record.get(key) for key in COUNTS},
        "release": record.get("release"),
        "reasons": record.get("reasons", {}),
        "store": store,
        "passed_over": record.get("passed_over", 0),
        "predictions": predictions,
    }
    passed_over = record.get("passed_over", 0)
    written = f"written {record['written']:,}" if store else "not stored in the table"
    lines = [
        (
            f"{run}: read {record['read']:,} = scored {record['scored']:,} + quarantined {record['quarantined']:,}; "
            f"{written}, in {record['seconds']:.1f} s"
        ),
        f"predictions: {predictions} (Parquet)",
        *([f"{passed_over:,} files were scored before and skipped; --again scores them too"] if passed_over else []),
        *(["this was scored before; --again scores it once more"] if already else []),
    ]
    following = (
        "`fairway outcomes FILE` reports what really happened, once it is known"
        if store
        else "outcomes join stored predictions only; `fairway batch` with --store stores them in the table too"
    )
    return Done(values, lines, following)
