"""`fairway impact`: what depends on a column or a source, and what a change of it would cost."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from domain.config.sections import stages
from domain.contract.schema import Column
from domain.release.routing import answerers, decides_from
from domain.release.state import ReleaseItem
from domain.watch.dependents import USES, Unknown, columns_named
from fairway.scratch import scratch
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.held_out import Judged, fetch, judged
from fairway.stage.settings import connected
from fairway.stage.upstream import Effect, effects
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)
MOST_ROWS = 50_000


@app.command(
    "impact",
    epilog="Example: fairway impact distance   or: fairway impact 'weather station'. The champion answers the rows "
    "that it was last judged on again, with the column missing, stale, rescaled, renamed: how many rows the contract "
    "refuses, how many decisions change, what that costs, and whether contract or drift would tell.",
)
def impact_command(
    what: Annotated[
        str, typer.Argument(help="A column, a source or an owner of the contract.", metavar="COLUMN|SOURCE")
    ],
    rows: Annotated[int, typer.Option(help="Number of rows to try at most.", min=100)] = MOST_ROWS,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Show what breaks if a column or its source changes, and what that would cost."""
    run(
        lambda progress: impact(project, stage, what, most=rows, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


class _Subject(NamedTuple):
    """What may change: the columns of a name, and the release that reads them."""

    columns: list[Column]
    champion: ReleaseItem
    threshold: float  # of its decisions
    rows: Judged  # that the champion was last judged on


def impact(folder: Path, stage_name: str, what: str, *, most: int, progress: Progress) -> Done:
    stage = connected(folder, stage_name, progress)
    subject = _subject(stage, what)
    names = [column.name for column in subject.columns if column.role == "feature"]
    progress(f"Answering the rows that {subject.rows.run} was judged on, with {what} changed")
    found = _effects(stage, subject, names, most=most, progress=progress) if names else []
    return Done(
        {
            "what": what,
            "columns": [_about(column) for column in subject.columns],
            "releases": _releases(stage),
            "stages": ["local", *stages(folder)],
            "rows": found[0].rows if found else 0,
            "run": subject.rows.run,
            "effects": [one._asdict() for one in found],
        },
        [*_dependents(stage, subject), "", *_lines(found, subject)],
        "write a limit or categories into the contract for each change that nothing would notice",
    )


def _subject(stage: Stage, what: str) -> _Subject:
    routing = records.routing(stage)
    champion = records.release(stage, routing["champion"]["release"]) if routing["champion"] else None
    try:
        columns = columns_named(stage.contract, what)
    except Unknown as error:
        raise Refused("what", str(error)) from None
    if champion is None:
        raise Refused("champion", "there is no champion yet whose answers could change; `fairway train` makes one")
    newest = champion.get("newest")
    threshold = decides_from(routing, stage.config.serving.threshold)
    return _Subject(columns, champion, threshold, judged(stage, newest["run"] if newest else champion["run"]))


def _effects(stage: Stage, subject: _Subject, names: list[str], *, most: int, progress: Progress) -> list[Effect]:
    with scratch("impact") as folder:
        fetch(stage, subject.rows, folder / "rows", progress)
        return effects(
            stage,
            subject.champion,
            subject.rows,
            names,
            threshold=subject.threshold,
            folder=folder,
            most=most,
            progress=progress,
        )


def _releases(stage: Stage) -> list[dict[str, Any]]:
    return [{"release": one.release, "role": str(one.role)} for one in answerers(records.routing(stage))]


def _about(column: Column) -> dict[str, Any]:
    return {"column": column.name, "role": column.role, "source": column.source, "owner": column.owner}


def _dependents(stage: Stage, subject: _Subject) -> list[str]:
    cells = [(one.name, one.role, one.source, one.owner, USES[one.role]) for one in subject.columns]
    who = ", ".join(f"{one['role']} {one['release']}" for one in _releases(stage))
    return [*table(cells, ("column", "role", "source", "owner", "what depends on it")), f"asked today: {who}"]


def _lines(found: list[Effect], subject: _Subject) -> list[str]:
    if not found:
        return ["no model reads it, so no answer changes"]
    window = subject.rows.window
    heads = ("columns", "change", "refused", "decisions changed", *_measured(found[0]), "noticed by")
    return [
        f"{found[0].rows:,} rows from {window['evaluate_start']} to {window['as_of']}, each answered again",
        *table(([*_cells(one), one.noticed_by] for one in found), heads),
    ]


def _measured(one: Effect) -> list[str]:
    heads = {"right": "right answers", "value_usd": "$ per 1,000 rows", "error": "mean error"}
    return [heads[name] for name in one.change]


def _cells(one: Effect) -> list[str]:
    forms = {"right": "{:+.2%}", "error": "{:+.4g}"}
    measured = [
        f"{1000 * by:+,.2f}" if name == "value_usd" else forms[name].format(by) for name, by in one.change.items()
    ]
    return [", ".join(one.columns), one.scenario, f"{one.refused:.1%}", f"{one.flipped:.2%}", *measured]
