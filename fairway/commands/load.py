"""`fairway load`: load files into the lake, each as a whole or not at all, and each once.

A load consists of its parts in the lake and then one record in the runs table. Readers ignore parts that no record
names, so a load that is killed leaves only parts that the next attempt writes again under the same names.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.runs import LoadItem, RunKind, RunStatus
from domain.timestamps import iso
from fairway.scratch import scratch
from fairway.stage import loads, records
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.tables.far_rows import far_rows, sentence
from fairway.tables.files import File, checked, identified
from fairway.tables.folders import files_of, with_passed_over
from fairway.tables.twice import Twice, refuse_if_told_to, sentences
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.progress import Progress

if TYPE_CHECKING:  # it imports Arrow, which help must not load
    from fairway.tables.parts import Written

app = typer.Typer(rich_markup_mode=None)


@app.command("load", epilog="Example: fairway load data/2013-01.csv data/2013-02.csv.gz")
def load_command(
    files: Annotated[
        list[Path],
        typer.Argument(help="CSV (also .gz), JSON Lines or Parquet files, or folders of them.", metavar="FILE..."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the rows of earlier files with the same names.")
    ] = False,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Load rows into the lake. All files are checked first; a file that is already loaded changes nothing."""
    run(
        lambda progress: load(project, stage, files, replace=replace, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def load(folder: Path, stage_name: str, paths: list[Path], *, replace: bool = False, progress: Progress) -> Done:
    """Load the files; with `replace` a file replaces all loads of files with its name."""
    below = [files_of(path) for path in paths]
    stage = connected(folder, stage_name, progress)
    named = [identified(path, stage.contract, progress) for found, _ in below for path in found]
    files = list({file.load: file for file in named}.values())
    before = {one["run"]: one for one in records.runs(stage, "load")}
    namesakes = _of_the_same_names(before.values(), files)
    gone = {one["run"] for one in namesakes} if replace else set()
    counting = [one for one in before.values() if one["run"] not in gone]
    new = [file for file in files if file.load not in before]
    with scratch("load") as folder_of_parts:
        checked = _checked_all(stage, new, counting, folder_of_parts, progress)
        known = {**before, **{file.load: _entered(stage, file, *checked[file.load], progress) for file in new}}
    if replace:
        loads.discount(stage, namesakes)
    told = summary(stage, [(file, known[file.load]) for file in files], new=len(new))
    aside = [name for _, names in below for name in names]
    return with_passed_over(_with_namesakes(told, namesakes, replaced=replace), aside)


def _checked_all(
    stage: Stage, files: list[File], counting: list[LoadItem], scratch: Path, progress: Progress
) -> dict[str, tuple["Written", Twice]]:
    """Return {load: its parts on this machine, and its duplicates}; nothing is loaded yet.

    A file is compared with what counts already and with the files before it.
    """
    found: dict[str, tuple[Written, Twice]] = {}
    for file in files:
        written = checked(file, stage.contract, scratch, progress)
        others = [one for one in counting if one["sha256"] != file.sha256]
        earlier = [(before.path.name, found[before.load][0]) for before in files if before.load in found]
        twice = _compared(stage, written, others, earlier, progress)
        refuse_if_told_to(stage.config.data.duplicates, file.path, twice, has_key=_has_key(stage))
        found[file.load] = (written, twice)
    return found


def _compared(
    stage: Stage, written: "Written", others: list[LoadItem], earlier: list[tuple[str, "Written"]], progress: Progress
) -> Twice:
    """Count the rows that are duplicates within the file, of other loads, or of files that this command loads before
    it.
    """
    from fairway.tables.parts import may_share_rows  # imports Arrow, which help must not load

    with written.index as index:
        for one in others:
            shared = [part for part in loads.parts_of(one) if may_share_rows(part, written.parts)]
            for part in shared:
                progress.detail(f"comparing with {one['file']}")
                loads.read_part(stage, part, index.mark_loaded)
        for name, before in earlier:
            progress.detail(f"comparing with {name}")
            for part in before.parts:
                index.mark_loaded(before.files[part["key"]])
        loaded, first_loaded = index.loaded()
        first_repeated = index.first_repeated if _has_key(stage) else None
        return Twice(index.repeated, loaded, first_repeated or first_loaded)


def _has_key(stage: Stage) -> bool:
    return bool(stage.contract.of_role("key"))


def _entered(stage: Stage, file: File, written: "Written", twice: Twice, progress: Progress) -> LoadItem:
    """Upload the file's parts, then write its record: from then on its rows count."""
    progress(f"Uploading {file.path.name}")
    loads.upload(stage, written.files, progress=progress)
    return loads.enter(stage, _record_of(stage, file, written, twice))


def _of_the_same_names(before: Iterable[LoadItem], files: list[File]) -> list[LoadItem]:
    """Return the other loads of files with these names: perhaps an earlier state, perhaps another table."""
    names, own = {file.path.name for file in files}, {file.load for file in files}
    return [one for one in before if one["file"] in names and one["run"] not in own]


def _with_namesakes(done: Done, loads: list[LoadItem], *, replaced: bool) -> Done:
    """Report rows that count twice, or no longer: a corrected file is another file."""
    assert isinstance(done.values, dict), "summary makes them so"
    values = {**done.values, "replaced": [one["run"] for one in loads] if replaced else []}
    if not loads:
        return dataclasses.replace(done, values=values)
    some = f"{loads[0]['file']} was loaded before with other content: {', '.join(one['run'] for one in loads)}"
    then = (
        "which no longer counts" if replaced else "which counts too; if this file corrects it, load it with --replace"
    )
    return dataclasses.replace(done, values=values, lines=[*done.lines, f"{some}, {then}"])


def _record_of(stage: Stage, file: File, written: "Written", twice: Twice) -> LoadItem:
    now = datetime.now(UTC)
    return {
        "kind": RunKind.LOAD,
        "run": file.load,
        "status": RunStatus.SUCCEEDED,
        "file": file.path.name,
        "sha256": file.sha256,
        "contract_hash": stage.contract.hash,
        "accepted": written.accepted,
        "quarantined": written.quarantined,
        "reasons": dict(sorted(written.reasons.items())),
        "first": min((part["first"] for part in written.parts if part["first"]), default=None),
        "last": max((part["last"] for part in written.parts if part["last"]), default=None),
        "in_file_twice": twice.in_file,
        "loaded_before": twice.loaded,
        "loaded_at": iso(now.replace(microsecond=0)),
        "loaded_us": round(now.timestamp() * 1e6),  # order of loading, finer than seconds
        "parts": json.dumps(written.parts),
    }


def summary(stage: Stage, done: list[tuple[File, LoadItem]], *, new: int) -> Done:
    from model_code.rows.tables import titles_above  # with Arrow, which help must not cost

    reasons = sum((Counter(record["reasons"]) for _, record in done), Counter[str]())
    twice = Twice(
        sum(record.get("in_file_twice", 0) for _, record in done),
        sum(record.get("loaded_before", 0) for _, record in done),
    )
    rule, has_key = stage.config.data.duplicates, _has_key(stage)
    values = {
        "accepted": sum(record["accepted"] for _, record in done),
        "quarantined": sum(record["quarantined"] for _, record in done),
        "reasons": dict(sorted(reasons.items())),
        "duplicates": {"rule": rule if has_key else None, "in_file": twice.in_file, "loaded": twice.loaded},
        "files": [
            {
                "file": str(file.path),
                "load": file.load,
                **{key: record[key] for key in ("accepted", "quarantined")},
                "skipped": list(titles_above(file.path)),
            }
            for file, record in done
        ],
    }
    parts = [part for _, record in done for part in loads.parts_of(record)]
    far = far_rows(parts, datetime.now(UTC))
    values["far_rows"] = [{"first": first, "rows": rows} for first, rows in far]
    told = lines(values, done, new, [*sentences(twice, rule, has_key=has_key), *sentence(far)])
    if not values["accepted"]:
        return Done(values, told, "every row broke the contract: change the contract, or the file")
    following = "`fairway train` trains a model on the loaded rows"
    return Done(
        values, told, f"`fairway quarantine` shows the rows; {following}" if values["quarantined"] else following
    )


def lines(values: dict, done: list[tuple[File, LoadItem]], new: int, duplicates: list[str]) -> list[str]:
    broken = ", ".join(f"{rule} {count:,}" for rule, count in values["reasons"].items())
    quarantined = f"quarantined {values['quarantined']:,}" + (f" ({broken})" if broken else "")
    said = [f"accepted {values['accepted']:,} rows, {quarantined}", *duplicates]
    count, already = len(done), len(done) - new
    if already:
        said.append(f"{already} of {count} files were already loaded and were not written again")
    replaced = sum(bool(record.get("replaces")) for _, record in done) if new else 0
    if replaced:
        said.append(
            f"{replaced} of {count} files were loaded before under another contract, and those loads no longer count"
        )
    skipped = [", ".join(map(repr, one["skipped"])) for one in values["files"]]
    passed = [f"; skipped above its header: {titles}" if titles else "" for titles in skipped]
    return said + [
        f"  {file.path.name}: load {file.load}{titles}" for (file, _), titles in zip(done, passed, strict=True)
    ]
