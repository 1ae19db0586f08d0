"""`fairway status`: which release answers now."""

from pathlib import Path

import typer

from domain.runs import RunKind
from fairway.stage import loop, records
from fairway.stage.aws import Stage, ask_local
from fairway.stage.rollouts import running
from fairway.stage.settings import connected_whatever
from fairway.stage.standing import Standing, standing
from fairway.stage.under_way import STOPPED, Unfinished, unfinished
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)


@app.command("status", epilog="Example: fairway status --stage prod --json")
def status_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """Show which release answers, why, and how good it is."""
    run(lambda progress: status(project, stage, progress=progress), json=json, project=project, stage=stage)


def status(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    routing = records.routing(stage)
    champion = routing["champion"]
    item = records.release(stage, champion["release"]) if champion else None
    now = standing(stage, item) if item else None
    values = {
        "stage": stage_name,
        "api_url": stage.addresses["api_url"],
        "champion": champion["release"] if champion else None,
        "threshold": champion.get("threshold") if champion else None,  # None: serving.threshold
        "reason": routing["reason"],
        "quality": now.as_json() if now else None,
        "releases": records.with_roles(records.releases(stage), routing),
        "rollout": running(stage),
        "loop": loop.held(stage),
        "unfinished": unfinished(stage),
        "declared_not_simulated": declared(stage),
        "warnings": warnings(stage),
    }
    return Done(values, lines(values, now), next_step(values), now.alarms() if now else [])


def declared(stage: Stage) -> list[dict]:
    """Return {stack, logical_id, type} of resources in the templates that the local AWS only records; empty on AWS."""
    if stage.endpoint is None:
        return []
    return ask_local(stage.endpoint, "declared")


def warnings(stage: Stage) -> list[str]:
    """Return warnings of the local AWS about its disk; empty on AWS."""
    if stage.endpoint is None:
        return []
    return ask_local(stage.endpoint, "health")["warnings"]


def lines(values: dict, now: Standing | None) -> list[str]:
    said = [f"stage {values['stage']}: {values['api_url']}"]
    own = "" if values["threshold"] is None else f" at threshold {values['threshold']:g}"
    said.append(f"champion: {values['champion'] or 'none; the fallback answers'}{own} ({values['reason']})")
    said += now.lines() if now else []
    if values["releases"]:
        rows = [(one["release"], one["state"], one["role"] or "-", f"{one['weight']} %") for one in values["releases"]]
        said += ["", *table(rows, ("release", "state", "role", "weight"))]
    if current := values["rollout"]:
        what = "experiment" if "experiment" in current else "rollout"
        said += ["", f"{what} of {current['release']}: {current['why']}; `fairway {what} status` shows its evidence"]
    said += [_in_words(run) for run in values["unfinished"]]
    said += ["", values["loop"]] if values["loop"] else []
    if values["declared_not_simulated"]:
        names = [f"{one['logical_id']} ({one['type']})" for one in values["declared_not_simulated"]]
        said += ["", f"declared, not simulated on this machine: {', '.join(names)}"]
    return [*said, *(f"\nwarning: {warning}" for warning in values["warnings"])]


def _in_words(run: Unfinished) -> str:
    if run["status"] != STOPPED:
        return f"{run['run']} is in progress"
    cure = "the same `fairway batch` resumes it" if run["kind"] == RunKind.BATCH else "`fairway train` starts another"
    return f"{run['run']} was stopped before its end; {cure}"


def next_step(values: dict) -> str:
    if values["champion"]:
        return "`fairway predict --file FILE` sends requests; `fairway releases` shows why it answers"
    if any(one["state"] == "waiting" for one in values["releases"]):
        return "`fairway promote RELEASE` approves a release that waits"
    return "`fairway load FILE...` and `fairway train` make the first release"
