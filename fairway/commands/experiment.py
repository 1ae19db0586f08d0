"""`fairway experiment start|status|stop`: two releases side by side, and which of them is better by one metric."""

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.release.experiment import FEWEST_USERS, LONGEST_DAYS, MOST_USERS, WORDS, Metric, objection
from domain.release.harm import Weighed, in_digits
from domain.release.looks import Look
from domain.release.rollout import Experiment, Rollout, percent
from domain.release.sequence import Difference
from domain.runs import ExperimentItem
from fairway.commands.rollout import evidence_as_json, evidence_lines
from fairway.stage import experiments, rollouts
from fairway.stage.aws import Stage
from fairway.stage.change import refuse_unanswered
from fairway.stage.deployment import WHEN
from fairway.stage.settings import connected, connected_whatever
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.drawn import interval
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)
group = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Two releases side by side: which is better by one metric, with statistics that may be looked at any time.",
)
app.add_typer(group, name="experiment")
METRICS = "; ".join(f"{metric}: {WORDS[metric].meaning}" for metric in Metric)
EACH = "by its first answer with an outcome"


@group.command("start", epilog="Example: fairway experiment start --release R --share 50 --metric value --users 10000")
def start_command(
    release: Annotated[str, typer.Option(help="The challenger, as `fairway releases` lists it.", metavar="R")],
    metric: Annotated[str, typer.Option(help=f"What an entity is worth, {EACH}. {METRICS}.", metavar="METRIC")],
    users: Annotated[
        int, typer.Option(help="Entities of both arms that are to have a value; it is decided then at the latest.")
    ],
    share: Annotated[float, typer.Option(help="Of all entities, in percent, for the challenger.")] = 50.0,
    days: Annotated[float, typer.Option(help="How long it lasts at most.")] = 14.0,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Let a release answer a share of the entities, each of which keeps its arm, beside the champion.

    A challenger that does harm goes back by itself; one that is better stays until you stop the experiment.
    """
    run(
        lambda progress: start(
            project, stage, release, share=share, metric=metric, users=users, days=days, progress=progress
        ),
        json=json,
        project=project,
        stage=stage,
    )


@group.command("status", epilog="Example: fairway experiment status --stage prod")
def status_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """What was found, the difference with its interval, and the experiments before."""
    run(lambda progress: status(project, stage, progress=progress), json=json, project=project, stage=stage)


@group.command("stop", epilog="Example: fairway experiment stop --promote")
def stop_command(
    promote: Annotated[bool, typer.Option("--promote", help="Make the challenger champion.")] = False,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """End the experiment by one write: the champion answers everybody again, or with --promote the challenger."""
    run(
        lambda progress: stop(project, stage, promote=promote, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def start(
    folder: Path,
    stage_name: str,
    release: str,
    *,
    share: float,
    metric: str,
    users: int,
    days: float,
    progress: Progress,
) -> Done:
    """Begin an experiment. Refused, with nothing changed, for what cannot be compared."""
    stage = connected(folder, stage_name, progress)
    _refuse_numbers(share, users, days)
    if why := objection(metric, stage.config.project.task, stage.config.business):
        raise Refused("metric", f"--metric = {metric!r}: {why}")
    experiments.refuse_overlap(rollouts.turns_of(stage))
    item = experiments.refuse_release(stage, release)
    refuse_unanswered(stage, item, confirmed=False, command="fairway promote", progress=progress)
    asked: Experiment = {
        "share": share / 100,
        "metric": metric,
        "users": users,
        "days": days,
        "by": _who(stage),
        "before": item["state"],
    }
    begun = experiments.begin(stage, release, asked, progress=progress)
    line = f"{release} answers {percent(begun['share'])} beside {begun['champion']}: {WHEN}"
    following = "`fairway experiment status` shows what is found, as often as you like"
    return Done({"stage": stage_name, "experiment": begun}, [line], following)


def _refuse_numbers(share: float, users: int, days: float) -> None:
    if not 0 < share < 100:
        raise Refused("share", f"--share = {share:g}: must be above 0 and below 100; the champion needs the rest")
    if not FEWEST_USERS <= users <= MOST_USERS:
        raise Refused("users", f"--users = {users}: must be from {FEWEST_USERS} to {MOST_USERS:,}")
    if not 0 < days <= LONGEST_DAYS:
        raise Refused("days", f"--days = {days:g}: must be above 0 and at most {LONGEST_DAYS:g}")


def _who(stage: Stage) -> str:
    return str(stage.client("sts").get_caller_identity()["Arn"])


def status(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    current, kept = experiments.latest(rollouts.turns_of(stage)), experiments.kept(stage)
    difference, weighed, words = experiments.seen(stage, current) if current else (None, [], "")
    values = {
        "stage": stage_name,
        "experiment": current,
        "difference": _as_json(difference) if difference else None,
        "evidence": evidence_as_json(weighed),
        "kept": kept,
    }
    lines = _lines(current, words, weighed) if current else ["no experiment runs, and none was the last to run"]
    lines += ["", *_kept_lines(kept)] if kept else []
    return Done(values, lines, "`fairway experiment stop --promote` makes a challenger champion; without it, it goes")


def stop(folder: Path, stage_name: str, *, promote: bool, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    ended = experiments.stop(stage, to_champion=promote)
    answers, back = ended["champion"], "`fairway promote RELEASE` lets another one answer"
    if promote:
        answers, back = ended["release"], "`fairway rollback` takes it back"
    return Done(
        {"stage": stage_name, "experiment": ended}, [f"{answers} answers everybody: {WHEN}", ended["why"]], back
    )


def _lines(current: Rollout, words: str, weighed: list[Weighed]) -> list[str]:
    asked = current["experiment"]
    verdict = asked.get("verdict")
    head = f"{current['release']}: {current['state']}, {percent(current['share'])} beside {current['champion']}"
    what = f"by {asked['metric']} of {asked['users']:,} entities in {asked['days']:g} days at most"
    return [
        f"{head}, since {current['began_at']}",
        f"{what}, begun by {asked['by']}",
        current["why"],
        *([f"found at {verdict['at']}: {verdict['sentence']}"] if verdict else []),
        f"now: {words}",
        "",
        *_drawn(current["looks"]),
        *evidence_lines(weighed, current["looks"]),
    ]


def _drawn(looks: list[Look]) -> list[str]:
    """Draw the interval over time, with 0 in the middle."""
    known = [look for look in looks if "difference" in look][-10:]
    reach = 1.5 * max(map(abs, known[-1]["difference"])) if known else 0.0
    rows = []
    for look in known:
        low, value, high = look["difference"]
        drawn = interval(low, value, high, reach=reach)
        rows.append((look["at"], f"{look['entities']:,}", f"{value:.4g}", f"{low:.4g} to {high:.4g}", drawn))
    return [*table(rows, ("when", "entities", "difference", "interval", "0 in the middle")), ""] if rows else []


def _kept_lines(kept: list[ExperimentItem]) -> list[str]:
    rows = [
        (one["started_at"], one["release"], one["champion"], one["experiment"]["metric"], one["state"], one["why"])
        for one in kept
    ]
    return table(rows, ("started", "challenger", "champion", "metric", "state", "why"))


def _as_json(found: Difference) -> dict[str, Any]:
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "entities": found.entities,
        "odds": in_digits(found.log_e),
    }
