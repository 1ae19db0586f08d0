"""`fairway quarantine`: print the rows that broke the contract, and why, or write them as CSV to be corrected."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from domain import lake
from domain.runs import LoadItem
from fairway.scratch import scratch
from fairway.stage import loads, records
from fairway.stage.aws import Stage
from fairway.stage.lake_file import LakeFile
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

if TYPE_CHECKING:  # it comes with Arrow, which help must not cost
    from fairway.tables.mended import Mended
    from fairway.tables.quarantined import Quarantined

HEADS = ("file", "row", "column", "value", "rule")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "quarantine",
    epilog="Example: fairway quarantine data/2013-01.csv --out mended.csv. Correct the rows of mended.csv and load it; "
    "the column of reasons may stay. Without FILE, all loads are searched.",
)
def quarantine_command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A file as it was loaded, its name, the id of its load, or a batch run.", metavar="FILE|LOAD|RUN"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all the rows with their reasons to this CSV file.", metavar="FILE.csv")
    ] = None,
    limit: Annotated[int, typer.Option(help="Number of rows to print at most.", metavar="N", min=1)] = 50,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Print rows that broke the contract: column, value, rule."""
    run(
        lambda progress: quarantine(project, stage, what, out=out, limit=limit, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


class Held(NamedTuple):
    """Quarantined rows of one load or batch run: how many, by which rules, and their prefix in the lake.

    `place` is the load's place in the order of loading; a batch run has none.
    """

    name: str
    file: str
    rows: int
    reasons: dict[str, int]
    prefix: str
    place: int | None = None


def quarantine(
    folder: Path, stage_name: str, what: str | None, *, out: Path | None, limit: int, progress: Progress
) -> Done:
    """Print at most `limit` of the rows that were not corrected since; with `out` write them all."""
    if out is not None and (out.suffix != ".csv" or not out.parent.is_dir()):
        raise Refused("out", f"--out {out}: must be a file named .csv, in a folder that exists")
    stage = connected(folder, stage_name, progress)
    every = sorted(records.runs(stage, "load"), key=lambda one: (one.get("loaded_us", 0), one["run"]))
    held = _held(stage, what, every)
    with scratch("quarantine") as temporary, ExitStack() as stack:
        mended = _mended(stage, held, every, temporary / "rows.sqlite", progress)
        if mended:
            stack.enter_context(mended)
        return _read(stage, held, mended, limit=limit, out=out, progress=progress)


def _read(
    stage: Stage, held: list[Held], mended: "Mended | None", *, limit: int, out: Path | None, progress: Progress
) -> Done:
    from fairway.tables.quarantined import write_csv  # with Arrow, which help must not cost

    def rows() -> "Iterator[Quarantined]":
        return (row for one in held for row in _rows(stage, one) if not _is_mended(mended, one, row))

    progress("Reading the quarantine")
    count = mended.count if mended else 0
    reasons = _reasons(rows()) if count else sum((Counter(one.reasons) for one in held), Counter[str]())
    shown = list(itertools.islice(rows(), limit))
    if out is not None:
        progress(f"Writing {out}")
        write_csv(rows, [column.name for column in stage.contract.columns], out)
    return _told(sum(one.rows for one in held) - count, count, reasons, shown, out)


def _held(stage: Stage, what: str | None, every: list[LoadItem]) -> list[Held]:
    """Return what the word names, oldest load first; without a word, everything that is loaded."""
    named = {one["run"] for one in every} if what is None else {one["run"] for one in loads.named(stage, what)}
    chosen = [
        Held(one["run"], one["file"], one["quarantined"], one["reasons"], lake.quarantine_prefix(one["run"]), place)
        for place, one in enumerate(every)
        if one["run"] in named
    ]
    run = None if chosen or what is None else records.run(stage, "batch", what)
    if run:
        prefix = lake.batch_prefix(what or "", "quarantine")
        chosen = [Held(run["run"], run["run"], run.get("quarantined", 0), run.get("reasons", {}), prefix)]
    if what is not None and not chosen:
        there = loads.listed(every) or "nothing"
        message = f"{what}: must be a loaded file, the id of a load, or a batch run; loaded: {there}"
        raise Refused("load", message)
    return chosen


def _mended(stage: Stage, held: list[Held], every: list[LoadItem], file: Path, progress: Progress) -> "Mended | None":
    """Compare the rows with those of later loads; None without a later load, or without a key to compare by."""
    from fairway.tables.mended import Mended  # with Arrow, which help must not cost

    places = [one.place for one in held if one.rows and one.place is not None]
    later = list(enumerate(every))[min(places, default=len(every)) + 1 :]
    if not later or not stage.contract.of_role("key"):
        return None
    mended = Mended(file, stage.contract)
    for one in held:
        if one.place is not None:
            mended.add(one.place, _rows(stage, one))
    for place, load in later:
        for part in filter(mended.may_be_in, loads.parts_of(load)):
            progress.detail(f"comparing with {load['file']}")
            loads.read_part(stage, part, partial(mended.mark, place))
    return mended


def _is_mended(mended: "Mended | None", held: Held, row: "Quarantined") -> bool:
    return mended is not None and held.place is not None and mended.is_mended(held.place, row)


def _reasons(rows: "Iterator[Quarantined]") -> Counter[str]:
    return Counter(rule for row in rows for rule in {problem.rule for problem in row.problems})


def _rows(stage: Stage, held: Held) -> "Iterator[Quarantined]":
    from fairway.tables.quarantined import read_quarantined  # with Arrow, which help must not cost

    for key in loads.quarantine_parts(stage, held.prefix) if held.rows else ():
        yield from read_quarantined(held.file, LakeFile(stage.client("s3"), stage.addresses["lake"], key))


def _told(total: int, mended: int, reasons: Counter[str], shown: "list[Quarantined]", out: Path | None) -> Done:
    values: dict[str, Any] = {
        "quarantined": total,
        "mended": mended,
        "reasons": dict(sorted(reasons.items())),
        "rows": [
            {"file": one.file, "row": one.row, "problems": [p._asdict() for p in one.problems], "values": one.values}
            for one in shown
        ],
        **({"out": str(out)} if out else {}),
    }
    broken = ", ".join(f"{rule} {count:,}" for rule, count in values["reasons"].items())
    lines = [f"{total:,} rows are quarantined" + (f": {broken}" if broken else "")]
    lines += [f"{mended:,} more were corrected since: a later load has rows of their keys"] if mended else []
    lines += table([cells for one in shown for cells in _cells(one)], HEADS) if shown else []
    lines += [f"and {total - len(shown):,} more rows; --limit N shows more of them"] if total > len(shown) else []
    lines += [f"{out}: {total:,} rows with their reasons"] if out else []
    if not total:
        return Done(values, lines, "`fairway train` trains a model on the loaded rows")
    how = "`fairway quarantine --out FILE.csv` writes them" if out is None else f"correct the rows of {out}"
    return Done(values, lines, f"{how}; load the corrected file with `fairway load FILE.csv`")


def _cells(one: "Quarantined") -> list[tuple[str, str, str, str, str]]:
    """Return a line of the table for each rule that the row broke."""
    return [
        (one.file, f"{one.row:,}", problem.column, repr(problem.value), f"{problem.rule}: {problem.allowed}")
        for problem in one.problems
    ]
