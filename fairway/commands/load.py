"""`fairway load`: files into the lake, each whole or not at all, and each once.

A load is its parts in the lake and then one record in the runs table. Only parts that a record names exist for readers,
so a load that is killed leaves nothing behind but parts that the next try writes again under the same names.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from domain import records as items
from domain.contract.schema import Contract
from domain.timestamps import iso
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

UPLOADS = 4

if TYPE_CHECKING:  # it comes with Arrow, which help must not cost
    from fairway.tables.parts import Written

app = typer.Typer(rich_markup_mode=None)


@app.command("load", epilog="Example: fairway load data/2013-01.csv data/2013-02.csv.gz")
def load_command(
    files: Annotated[
        list[Path], typer.Argument(help="CSV (also .gz), JSON Lines or Parquet files.", metavar="FILE...")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Count them instead of what files of the same names held before.")
    ] = False,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Rows into the lake. All files are read and checked first; a file that is loaded already changes nothing."""
    run(
        lambda progress: load(project, stage, files, replace=replace, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@dataclass(frozen=True)
class File:
    path: Path
    sha256: str
    load: str  # its id: the same bytes under the same contract are the same load


def load(folder: Path, stage_name: str, paths: list[Path], *, replace: bool = False, progress: Progress) -> Done:
    """With `replace` a file counts instead of all that was loaded from files of its name: it corrects them."""
    stage = connected(folder, stage_name, progress)
    files = list({file.load: file for file in (identified(path, stage.contract, progress) for path in paths)}.values())
    found = ((file.load, records.run(stage, "load", file.load)) for file in files)
    known = {load: record for load, record in found if record}
    new = [file for file in files if file.load not in known]
    with TemporaryDirectory(prefix="fairway-load-") as scratch:
        written = {file.load: checked(file, stage.contract, Path(scratch), progress) for file in new}
        for file in new:
            progress(f"Uploading {file.path.name}")
            upload(stage, written[file.load].files, progress=progress)
            known[file.load] = enter(stage, file, written[file.load])
    namesakes = of_the_same_names(stage, files)
    if replace:
        forget(stage, namesakes)
    told = summary([(file, known[file.load]) for file in files], new=len(new))
    return with_namesakes(told, namesakes, replaced=replace)


def identified(path: Path, contract: Contract, progress: Progress) -> File:
    progress(f"Reading {path.name}")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Refused("file", f"{path}: {error.strerror}; name a CSV (also .gz), JSON Lines or Parquet file") from None
    return File(path, sha256, hashlib.sha256(f"{sha256}{contract.hash}".encode()).hexdigest()[:16])


def checked(file: File, contract: Contract, scratch: Path, progress: Progress) -> "Written":
    """The file's parts, written below the scratch folder. Refused when the file cannot be used."""
    # Arrow is imported only where a file is read.
    from fairway.tables.parts import write_parts
    from model_code.rows.tables import FileRefused

    progress(f"Checking {file.path.name}")
    folder = scratch / file.load
    folder.mkdir()
    try:
        return write_parts(file.path, contract, file.load, folder, progress=progress)
    except FileRefused as error:
        raise Refused("file", f"{error}; nothing was loaded") from None


def upload(stage: Stage, files: dict[str, Path], *, progress: Progress) -> None:
    s3, bucket = stage.client("s3"), stage.addresses["lake"]

    def put(key: str) -> None:
        with files[key].open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)

    with ThreadPoolExecutor(UPLOADS) as pool:
        for number, _ in enumerate(pool.map(put, files), 1):
            progress.detail(f"{number} of {len(files)} parts")


def of_the_same_names(stage: Stage, files: list[File]) -> list[dict]:
    """The other loads of files of these names: an earlier state of one perhaps, or another table altogether."""
    names, own = {file.path.name for file in files}, {file.load for file in files}
    return [one for one in records.runs(stage, "load") if one["file"] in names and one["run"] not in own]


def forget(stage: Stage, loads: list[dict]) -> None:
    """They count no longer. Their parts stay in the lake: a training run that began before may still read them."""
    for one in loads:
        stage.client("dynamodb").delete_item(TableName=stage.addresses["runs"], Key=items.run_key("load", one["run"]))


def with_namesakes(done: Done, loads: list[dict], *, replaced: bool) -> Done:
    """Rows that count twice, or no longer, are said so: a corrected file is another file."""
    assert isinstance(done.values, dict), "summary makes them so"
    values = {**done.values, "replaced": [one["run"] for one in loads] if replaced else []}
    if not loads:
        return dataclasses.replace(done, values=values)
    some = f"{loads[0]['file']} was loaded before with other content: {', '.join(one['run'] for one in loads)}"
    then = (
        "which counts no longer"
        if replaced
        else "which counts too; where this file corrects it, load it with --replace"
    )
    return dataclasses.replace(done, values=values, lines=[*done.lines, f"{some}, {then}"])


def enter(stage: Stage, file: File, written: "Written") -> dict:
    """Write the load's record, unless somebody else did meanwhile; returns the record that stands.

    What an earlier contract made of the same file leaves the table in the same transaction, so no row counts twice. Its
    parts stay in the lake: a training run that began before may still read them.
    """
    record = record_of(stage, file, written)
    dynamodb, table = stage.client("dynamodb"), stage.addresses["runs"]
    replaced = [
        one["run"] for one in records.runs(stage, "load") if one["sha256"] == file.sha256 and one["run"] != file.load
    ]
    put = {
        "TableName": table,
        "Item": items.to_item({**record, "replaces": replaced or None}),
        "ConditionExpression": "attribute_not_exists(#run)",
        "ExpressionAttributeNames": {"#run": "run"},
    }
    delete = [{"Delete": {"TableName": table, "Key": items.run_key("load", run)}} for run in replaced]
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, *delete])
    except dynamodb.exceptions.TransactionCanceledException:
        standing = records.run(stage, "load", file.load)
        if standing is None:
            raise
        return standing
    return {**record, "replaces": replaced}


def record_of(stage: Stage, file: File, written: "Written") -> dict:
    return {
        "kind": "load",
        "run": file.load,
        "status": "SUCCEEDED",
        "file": file.path.name,
        "sha256": file.sha256,
        "contract_hash": stage.contract.hash,
        "accepted": written.accepted,
        "quarantined": written.quarantined,
        "reasons": dict(sorted(written.reasons.items())),
        "first": min((part["first"] for part in written.parts if part["first"]), default=None),
        "last": max((part["last"] for part in written.parts if part["last"]), default=None),
        "loaded_at": iso(datetime.now(UTC).replace(microsecond=0)),
        "parts": json.dumps(written.parts),
    }


def summary(loads: list[tuple[File, dict]], *, new: int) -> Done:
    reasons = sum((Counter(record["reasons"]) for _, record in loads), Counter())
    values = {
        "accepted": sum(record["accepted"] for _, record in loads),
        "quarantined": sum(record["quarantined"] for _, record in loads),
        "reasons": dict(sorted(reasons.items())),
        "files": [
            {"file": str(file.path), "load": file.load, **{key: record[key] for key in ("accepted", "quarantined")}}
            for file, record in loads
        ],
    }
    if not values["accepted"]:
        return Done(values, lines(values, loads, new), "no row kept the contract: change the contract, or the file")
    return Done(values, lines(values, loads, new), "`fairway train` learns from what is loaded")


def lines(values: dict, loads: list[tuple[File, dict]], new: int) -> list[str]:
    broken = ", ".join(f"{rule} {count:,}" for rule, count in values["reasons"].items())
    quarantined = f"quarantined {values['quarantined']:,}" + (f" ({broken})" if broken else "")
    said = [f"accepted {values['accepted']:,} rows, {quarantined}"]
    count, already = len(loads), len(loads) - new
    if already:
        said.append(f"{already} of {count} files loaded already; nothing of them was written again")
    replaced = sum(bool(record.get("replaces")) for _, record in loads) if new else 0
    if replaced:
        said.append(f"{replaced} of {count} files were loaded before under another contract, which counts no longer")
    return said + [f"  {file.path.name}: load {file.load}" for file, _ in loads]
