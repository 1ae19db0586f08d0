"""Commands about money: `fairway cost`, `fairway prices refresh`, `fairway resume`."""

from pathlib import Path
from typing import Annotated

import typer

from fairway.terminal.command import HERE, Json, Project, StageName, run

File = Path | None

app = typer.Typer(rich_markup_mode=None)
prices = typer.Typer(help="The price table of `fairway cost`.", rich_markup_mode=None)
app.add_typer(prices, name="prices")


@app.command(
    epilog="Example: fairway cost --stage prod --usage busy.toml --hosting   or: fairway cost --compare main --json"
)
def cost(  # noqa: PLR0913 - options of a command
    project: Project = HERE,
    stage: StageName = "local",
    usage: Annotated[File, typer.Option(help="A usage profile that overrides [usage].", metavar="FILE")] = None,
    measured: Annotated[
        int | None,
        typer.Option(help="Use the usage that the stage measured in the last so many days.", metavar="DAYS", min=1),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="Compare with a git reference, or with a file written by --json.", metavar="REF|FILE"),
    ] = None,
    comment: Annotated[
        File, typer.Option(help="Write the comparison as Markdown, for a pull request.", metavar="FILE")
    ] = None,
    hosting: Annotated[
        bool, typer.Option("--hosting", help="Also compare where the model can be hosted, by traffic.")
    ] = False,
    plot: Annotated[File, typer.Option(help="Plot --hosting to this .svg or .html file.", metavar="FILE")] = None,
    decisions: Annotated[
        File, typer.Option(help="Counts of right and wrong decisions: is the model worth its cost?", metavar="FILE")
    ] = None,
    export: Annotated[File, typer.Option(help="Write the usage for AWS's Pricing Calculator.", metavar="FILE")] = None,
    within_budget: Annotated[
        bool, typer.Option("--within-budget", help="Exit with 1 if the bill is above budget.monthly_usd.")
    ] = False,
    templates: Annotated[
        File, typer.Option(help="A folder that `cdk synth` wrote, instead of building one.", metavar="DIR")
    ] = None,
    json: Json = False,
) -> None:
    """Estimate what the stage will cost a month, from its templates, its usage and dated prices."""
    # lazy: help does not need templates and prices
    from fairway.money.cost import Options, cost

    options = Options(
        usage=usage,
        measured_days=measured,
        compare=compare,
        comment=comment,
        hosts=hosting,
        plot=plot,
        decisions=decisions,
        export=export,
        within_budget=within_budget,
        templates=templates,
    )
    run(lambda progress: cost(project, stage, options, progress=progress), json=json, project=project, stage=stage)


@prices.callback()
def about() -> None:
    """The price table of `fairway cost`."""


@prices.command(epilog="Example: fairway prices refresh --stage prod   or, without a network: --lists FOLDER")
def refresh(
    project: Project = HERE,
    stage: StageName = "local",
    lists: Annotated[
        File, typer.Option(help="A folder of <offer>.json, instead of reading them from AWS.", metavar="DIR")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Also accept prices of zero and changes of more than 30 %.")
    ] = False,
    json: Json = False,
) -> None:
    """Read AWS's public price lists again; suspicious prices are refused and listed. Needs no account."""
    from fairway.money.prices import refresh

    run(
        lambda progress: refresh(project, stage, lists=lists, accept=accept, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


@app.command(epilog="Example: fairway resume --stage prod")
def resume(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """Undo what the guard stopped at the budget's limits."""
    from fairway.money.resume import resume

    run(lambda progress: resume(project, stage, progress=progress), json=json, project=project, stage=stage)
