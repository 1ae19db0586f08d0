"""The commands about money: `fairway cost`, `fairway prices refresh`, `fairway resume`; fairway/cli.py takes them
in.
"""

from pathlib import Path
from typing import Annotated

import typer

from fairway.terminal.command import HERE, Json, Project, StageName, run

File = Path | None

app = typer.Typer(rich_markup_mode=None)
prices = typer.Typer(help="The price table that `fairway cost` reckons with.", rich_markup_mode=None)
app.add_typer(prices, name="prices")


@app.command(
    epilog="Example: fairway cost --stage prod --usage busy.toml --hosting   or: fairway cost --compare main --json"
)
def cost(  # noqa: PLR0913 - options of a command
    project: Project = HERE,
    stage: StageName = "local",
    usage: Annotated[File, typer.Option(help="A usage profile to lay over [usage].", metavar="FILE")] = None,
    measured: Annotated[
        int | None,
        typer.Option(help="Take the usage of the last so many days from the stage itself.", metavar="DAYS", min=1),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="What changed since a git reference, or a file that --json wrote.", metavar="REF|FILE"),
    ] = None,
    comment: Annotated[
        File, typer.Option(help="Write --compare as Markdown, for a pull request.", metavar="FILE")
    ] = None,
    hosting: Annotated[
        bool, typer.Option("--hosting", help="Also: what to host the model on, and from which traffic on.")
    ] = False,
    plot: Annotated[File, typer.Option(help="Draw --hosting to this .svg or .html file.", metavar="FILE")] = None,
    decisions: Annotated[
        File, typer.Option(help="Counts of right and wrong decisions: is the model worth it?", metavar="FILE")
    ] = None,
    export: Annotated[File, typer.Option(help="Write the usage for AWS's Pricing Calculator.", metavar="FILE")] = None,
    within_budget: Annotated[bool, typer.Option("--within-budget", help="Exit 1 above budget.monthly_usd.")] = False,
    templates: Annotated[
        File, typer.Option(help="A folder that `cdk synth` wrote, instead of building one.", metavar="DIR")
    ] = None,
    json: Json = False,
) -> None:
    """What the stage will cost a month, from its templates, its usage and dated prices."""
    # lazy: templates and prices cost no import where only help is asked for
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
    """The price table that `fairway cost` reckons with."""


@prices.command(epilog="Example: fairway prices refresh --stage prod   or, without a network: --lists FOLDER")
def refresh(
    project: Project = HERE,
    stage: StageName = "local",
    lists: Annotated[
        File, typer.Option(help="A folder of <offer>.json, instead of reading them from AWS.", metavar="DIR")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Take prices of zero and jumps beyond 30 % too.")] = False,
    json: Json = False,
) -> None:
    """Read AWS's public price lists anew; what looks wrong is refused and named. Needs no account."""
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
