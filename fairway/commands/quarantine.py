"""`fairway quarantine`: the rows that broke the contract, and why; with --out as CSV, to be mended and loaded again."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from domain import lake
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
    from fairway.tables.quarantined import Quarantined

HEADS = ("file", "row", "column", "value", "rule")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "quarantine",
    epilog="Example: fairway quarantine data/2013-01.csv --out mended.csv. Correct the rows of mended.csv and load it; "
    "the column of reasons may stay. Without FILE it is about everything that is loaded.",
)
def quarantine_command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A file as it was loaded, its name, the id of its load, or a batch run.", metavar="FILE|LOAD|RUN"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all the rows with their reasons to this CSV.", metavar="FILE.csv")
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows to print at most.", metavar="N", min=1)] = 50,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Rows that broke the contract: column, value, rule."""
    run(
        lambda progress: quarantine(project, stage, what, out=out, limit=limit, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


class Held(NamedTuple):
    """Quarantined rows of one load or batch run: how many, by which rules, and below which prefix of the lake."""

    name: str
    file: str
    rows: int
    reasons: dict[str, int]
    prefix: str


def quarantine(
    folder: Path, stage_name: str, what: str | None, *, out: Path | None, limit: int, progress: Progress
) -> Done:
    """Print at most `limit` of the rows; with `out` write them all."""
    from fairway.tables.quarantined import write_csv  # with Arrow, which help must not cost

    if out is not None and (out.suffix != ".csv" or not out.parent.is_dir()):
        raise Refused("out", f"--out {out}: must be a file named .csv, in a folder that exists")
    stage = connected(folder, stage_name, progress)
    held = _held(stage, what)
    progress("Reading the quarantine")
    shown = list(itertools.islice(_rows(stage, held), limit))
    if out is not None:
        progress(f"Writing {out}")
        write_csv(lambda: _rows(stage, held), [column.name for column in stage.contract.columns], out)
    return _told(held, shown, out)


def _held(stage: Stage, what: str | None) -> list[Held]:
    """What the word names, oldest load first; everything that is loaded without one."""
    found = records.runs(stage, "load") if what is None else loads.named(stage, what)
    chosen = [
        Held(one["run"], one["file"], one["quarantined"], one["reasons"], lake.quarantine_prefix(one["run"]))
        for one in sorted(found, key=lambda one: (one.get("loaded_us", 0), one["run"]))
    ]
    run = None if chosen or what is None else records.run(stage, "batch", what)
    if run:
        prefix = lake.batch_prefix(what or "", "quarantine")
        chosen = [Held(run["run"], run["run"], run.get("quarantined", 0), run.get("reasons", {}), prefix)]
    if what is not None and not chosen:
        there = loads.listed(records.runs(stage, "load")) or "nothing"
        message = f"{what}: is neither a file that was loaded, nor the id of a load, nor a batch run; loaded: {there}"
        raise Refused("load", message)
    return chosen


def _rows(stage: Stage, held: list[Held]) -> "Iterator[Quarantined]":
    from fairway.tables.quarantined import read_quarantined  # with Arrow, which help must not cost

    for one in held:
        for key in loads.quarantine_parts(stage, one.prefix) if one.rows else ():
            yield from read_quarantined(one.file, LakeFile(stage.client("s3"), stage.addresses["lake"], key))


def _told(held: list[Held], shown: "list[Quarantined]", out: Path | None) -> Done:
    total = sum(one.rows for one in held)
    reasons = sum((Counter(one.reasons) for one in held), Counter[str]())
    values: dict[str, Any] = {
        "quarantined": total,
        "reasons": dict(sorted(reasons.items())),
        "rows": [
            {"file": one.file, "row": one.row, "problems": [p._asdict() for p in one.problems], "values": one.values}
            for one in shown
        ],
        **({"out": str(out)} if out else {}),
    }
    broken = ", ".join(f"{rule} {count:,}" for rule, count in values["reasons"].items())
    lines = [f"{total:,} rows are quarantined" + (f": {broken}" if broken else "")]
    lines += table([cells for one in shown for cells in _cells(one)], HEADS) if shown else []
    lines += [f"and {total - len(shown):,} more rows; --limit N shows more of them"] if total > len(shown) else []
    lines += [f"{out}: {total:,} rows with their reasons"] if out else []
    if not total:
        return Done(values, lines, "`fairway train` learns from what is loaded")
    how = "`fairway quarantine --out FILE.csv` writes them" if out is None else f"correct the rows of {out}"
    return Done(values, lines, f"{how}; corrected, `fairway load FILE.csv` takes them in")


def _cells(one: "Quarantined") -> list[tuple[str, str, str, str, str]]:
    """A line of the table for each rule that the row broke."""
    return [
        (one.file, f"{one.row:,}", problem.column, repr(problem.value), f"{problem.rule}: {problem.allowed}")
        for problem in one.problems
    ]
