"""`fairway backtest`: the project's own history, replayed day by day under several policies of retraining.

The work is done by `python -m model_code.backtest`, in a process of its own: it is the code that runs in production.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.config import sections
from domain.config.overrides import with_overrides
from domain.config.sections import Config
from domain.contract import schema
from domain.contract.schema import Contract
from domain.watch.backtest import Backtest, Difference, NotComparable, Order, difference
from domain.watch.policies import Policy
from domain.watch.scenarios import Kind, Scenario, ScenarioRefused, scenario_of
from fairway.report.page_file import writable, write_page
from fairway.scratch import die_with_parent, scratch
from fairway.stage.aws import contract_of
from fairway.stage.folder import keep_out_of_git
from fairway.tables.backtest import lines
from fairway.tables.history import Rows, of_files
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Interrupted, Refused
from fairway.terminal.progress import Progress

# lazy: AWS, Arrow and prices are imported by what needs them; help needs none

ROOT = Path(__file__).parents[2]
PAGE = "backtest.html"

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "backtest",
    epilog="Example: fairway backtest   or: fairway backtest data/*.csv --from 2013-04-01 --set data.window_days=120. "
    "Without files it replays what is loaded. Models are kept in .fairway/backtest: a stopped backtest goes on, "
    "and one with other settings trains only what they change.",
)
def backtest_command(  # noqa: PLR0913 - one argument for each option
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="The history: files of rows. Default: every load of the stage.", metavar="[FILE...]"),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="First day. Default: once data.window_days of rows are before it.", metavar="DAY"),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Day after the last one. Default: after the newest row.", metavar="DAY")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value for a setting, as often as needed.", metavar="SECTION.KEY=VALUE"),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"Replay only this policy, as often as needed: {', '.join(Policy)}.", metavar="P"),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(help=f"What happens to the rows from --since on: {', '.join(Kind)}.", metavar="KIND"),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(help="The column, source or owner of a scenario; none of price and delay.", metavar="NAME"),
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day of a scenario.", metavar="DAY")] = None,
    compare: Annotated[
        Path | None, typer.Option(help="What --json printed before, of the same rows and days.", metavar="FILE")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write. Default: DIR/backtest.html", metavar="FILE")] = None,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Replay the history day by day: what retraining never, monthly, weekly or by the loop would have meant."""
    asked = {
        "first": first,
        "until": until,
        "settings": settings or [],
        "policies": policy or [],
        "scenario": (scenario, of, since),
        "compare": compare,
        "out": out or project / PAGE,
    }
    run(
        lambda progress: backtest(project, stage, files or [], asked, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def backtest(folder: Path, stage_name: str, files: list[Path], asked: dict[str, Any], *, progress: Progress) -> Done:
    """Replay the history; `asked` has the options of the command."""
    from fairway.report.backtest import backtest_page

    page = writable(asked["out"])
    config = _config(folder, stage_name, asked["settings"])
    contract = contract_of(folder, config)
    before = _earlier(asked["compare"])
    order = _order(config, contract, asked)
    rows = _rows(folder, stage_name, files, contract, config, progress)
    kept = keep_out_of_git(folder) / "backtest" / rows.name
    with scratch("backtest") as work:
        if not (kept / "days").is_dir():  # else it is sorted by day already
            rows.fetch(work / "parts", progress)
        order |= {"history": rows.name, "loads": rows.loads}
        result = _replayed(work, kept, contract, config, order, progress)
    changed = _changed(result, before)
    write_page(page, backtest_page(result, project=config.project.name, overrides=asked["settings"]))
    values = {**result, **({"compared": changed} if before else {})}
    following = "`fairway backtest --set SECTION.KEY=VALUE` tries other settings"
    return Done(values, [*lines(result, changed), f"{page}: the same over time, with every run and alarm"], following)


def _config(folder: Path, stage: str, settings: list[str]) -> Config:
    config = sections.read_config(folder, stage)
    return with_overrides(sections.read_toml(folder / "fairway.toml"), stage, settings) if settings else config


def _order(config: Config, contract: Contract, asked: dict[str, Any]) -> Order:
    from domain.money.prices import read_prices
    from domain.money.resources.jobs import jobs_usd
    from domain.money.usage import month_of

    month, prices = month_of(config), read_prices(config.target.region)
    known = [policy.value for policy in Policy]
    for name in asked["policies"]:
        if name not in known:
            raise Refused("policy", f"--policy {name}: must be one of {', '.join(known)}")
    return {
        "history": "",
        "loads": [],
        "first": _day("--from", asked["first"]),
        "until": _day("--to", asked["until"]),
        "policies": [name for name in known if name in asked["policies"]] or known,
        "scenario": _scenario(contract, *asked["scenario"]),
        "run_usd": jobs_usd(month, prices),
        "evaluation_usd": jobs_usd(month, prices, trains=False),
    }


def _scenario(contract: Contract, kind: str | None, of: str | None, since: str | None) -> Scenario | None:
    if kind is None:
        if of or since:
            raise Refused("scenario", f"--of and --since: need --scenario, one of {', '.join(Kind)}")
        return None
    day = _day("--since", since)
    if day is None:
        raise Refused("scenario", f"--scenario {kind}: needs --since, its first day")
    try:
        return scenario_of(contract, kind=kind, name=of, since=date.fromisoformat(day))
    except ScenarioRefused as error:
        raise Refused("scenario", str(error)) from None


def _day(option: str, text: str | None) -> str | None:
    """Return a day in UTC, which a backtest begins and ends with."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Refused("day", f"{option} {text}: must be a day, such as 2013-04-01") from None


def _rows(
    folder: Path, stage_name: str, files: list[Path], contract: Contract, config: Config, progress: Progress
) -> Rows:
    if files:
        return of_files(files, contract, config.data.duplicates, progress)
    from fairway.stage.history import of_lake
    from fairway.stage.settings import connected

    return of_lake(connected(folder, stage_name, progress), config.data.duplicates)


def _earlier(file: Path | None) -> Backtest | None:
    """Read what an earlier backtest printed."""
    if file is None:
        return None
    wrong = f"--compare {file}: must be what `fairway backtest --json` printed"
    try:
        found: Backtest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise Refused("compare", wrong) from None
    if not isinstance(found, dict) or not Backtest.__required_keys__ <= found.keys():
        raise Refused("compare", wrong)
    return found


def _changed(result: Backtest, before: Backtest | None) -> list[Difference]:
    try:
        return difference(result, before) if before else []
    except NotComparable as error:
        raise Refused("compare", f"--compare: {error}") from None


# ---- the process


def _replayed(work: Path, kept: Path, contract: Contract, config: Config, order: Order, progress: Progress) -> Backtest:
    documents = {"contract": schema.as_dict(contract), "config": sections.as_dict(config), "run": order}
    for name, document in documents.items():
        (work / f"{name}.json").write_text(json.dumps(document))
    kept.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "model_code.backtest", str(work), str(kept.absolute())]
    with subprocess.Popen(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
    ) as process:
        try:
            last = _followed(_objects_of(process), progress)
        except KeyboardInterrupt:
            raise Interrupted("stopped; models that were trained are kept, and the same command goes on") from None
        assert process.stderr is not None, "it is a pipe"
        reason = (process.stderr.read().strip().splitlines() or ["no reason given"])[-1]
    if "refused" in last:
        raise Refused("backtest", last["refused"])
    if "done" not in last:
        raise Failed("backtest", f"the process that replays the history ended with {process.returncode}: {reason}")
    result: Backtest = json.loads(Path(last["done"]).read_text())
    return result


def _objects_of(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert process.stdout is not None, "it is a pipe"
    return (json.loads(line) for line in process.stdout)


def _followed(said: Iterator[dict[str, Any]], progress: Progress) -> dict[str, Any]:
    """Show how far it is; return the last of what it said."""
    step, last = "", {}
    for last in said:
        now = "Sorting the rows by day" if "sorted" in last else "Replaying the days" if "day" in last else step
        if now != step:
            progress(now)
            step = now
        if "sorted" in last:
            progress.detail(f"{last['sorted']:,} rows")
        elif "day" in last:
            progress.detail(f"{last['day']}, {last['done']} of {last['days']} days, {last['trained']} models")
    return last
