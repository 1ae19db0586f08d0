"""`fairway experiment start|status|stop`: two releases side by side, and which of them is better by one metric."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from domain.release.experiment import FEWEST_USERS, LONGEST_DAYS, MOST_USERS, WORDS, Metric, objection
from domain.release.harm import Weighed, in_digits
from domain.release.looks import Look
from domain.release.rollout import Experiment, Rollout, called, percent, threshold_of
from domain.release.sequence import Difference
from domain.release.state import ReleaseState
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
    help="Two releases, or two thresholds of one, side by side: which is better by one metric, with statistics that "
    "may be looked at any time.",
)
app.add_typer(group, name="experiment")
METRICS = "; ".join(f"{metric}: {WORDS[metric].meaning}" for metric in Metric)
EACH = "by its first answer with an outcome"


class Wanted(NamedTuple):
    """What an experiment is asked for, in the units of the command line: percent of the entities, and days."""

    release: str | None  # None: the champion itself
    threshold: float | None  # None: serving.threshold
    share: float
    metric: str
    users: int
    days: float


@group.command("start", epilog="Example: fairway experiment start --release R --share 50 --metric value --users 10000")
def start_command(  # noqa: PLR0913 - options of a command
    metric: Annotated[str, typer.Option(help=f"What an entity is worth, {EACH}. {METRICS}.", metavar="METRIC")],
    users: Annotated[
        int, typer.Option(help="Entities of both arms that are to have a value; it is decided then at the latest.")
    ],
    release: Annotated[
        str | None,
        typer.Option(
            help="The challenger, as `fairway releases` lists it. Default: the champion, with --threshold.", metavar="R"
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Probability from which the challenger decides yes. Default: serving.threshold."),
    ] = None,
    share: Annotated[float, typer.Option(help="Of all entities, in percent, for the challenger.")] = 50.0,
    days: Annotated[float, typer.Option(help="How long it lasts at most.")] = 14.0,
    project: Project = HERE,
    stage: StageName = "local",
    json: Json = False,
) -> None:
    """Let a release, or another threshold, answer a share of the entities, each of which keeps its arm, beside the
    champion.

    A challenger that does harm goes back by itself; one that is better stays until you stop the experiment.
    """
    wanted = Wanted(release, threshold, share, metric, users, days)
    run(
        lambda progress: start(project, stage, wanted, progress=progress),
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


def start(folder: Path, stage_name: str, wanted: Wanted, *, progress: Progress) -> Done:
    """Begin an experiment. Refused, with nothing changed, for what cannot be compared."""
    stage = connected(folder, stage_name, progress)
    _refuse_numbers(wanted)
    _refuse_threshold(wanted, stage.config.project.task)
    if why := objection(wanted.metric, stage.config.project.task, stage.config.business):
        raise Refused("metric", f"--metric = {wanted.metric!r}: {why}")
    experiments.refuse_overlap(rollouts.turns_of(stage))
    champion = experiments.champion_of(stage)
    release = wanted.release or champion["release"]
    item = experiments.refuse_release(stage, release, champion, threshold=wanted.threshold)
    refuse_unanswered(stage, item, confirmed=False, command="fairway promote", progress=progress)
    asked: Experiment = {
        "share": wanted.share / 100,
        "metric": wanted.metric,
        "users": wanted.users,
        "days": wanted.days,
        "by": _who(stage),
        "before": ReleaseState.CHAMPION if release == champion["release"] else item["state"],
    }
    if wanted.threshold is not None:
        asked["threshold"] = wanted.threshold
        asked["against"] = champion.get("threshold", stage.config.serving.threshold)
    begun = experiments.begin(stage, release, asked, progress=progress)
    one, other = called(begun)
    following = "`fairway experiment status` shows what is found, as often as you like"
    values = {"stage": stage_name, "experiment": begun}
    return Done(values, [f"{other} answers {percent(begun['share'])} beside {one}: {WHEN}"], following)


def _refuse_numbers(wanted: Wanted) -> None:
    share, users, days = wanted.share, wanted.users, wanted.days
    if not 0 < share < 100:
        raise Refused("share", f"--share = {share:g}: must be above 0 and below 100; the champion needs the rest")
    if not FEWEST_USERS <= users <= MOST_USERS:
        raise Refused("users", f"--users = {users}: must be from {FEWEST_USERS} to {MOST_USERS:,}")
    if not 0 < days <= LONGEST_DAYS:
        raise Refused("days", f"--days = {days:g}: must be above 0 and at most {LONGEST_DAYS:g}")


def _refuse_threshold(wanted: Wanted, task: str) -> None:
    threshold = wanted.threshold
    if threshold is None and wanted.release is None:
        raise Refused("challenger", "--release or --threshold: must be given; name what the champion is compared with")
    if threshold is None:
        return
    if task != "binary":
        raise Refused("threshold", f"--threshold = {threshold:g}: only a binary task decides by one; this is {task}")
    if not 0 <= threshold <= 1:
        raise Refused("threshold", f"--threshold = {threshold:g}: must be from 0 to 1, a probability")


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
    (answers, _), back = called(ended), "`fairway promote RELEASE` lets another one answer"
    if promote:
        answers, back = called(ended)[1], "`fairway rollback` takes it back"
    if promote and (threshold := threshold_of(ended)) is not None:
        back += f"; later releases decide by serving.threshold, so set it to {threshold:g} too if it is to stay"
    return Done(
        {"stage": stage_name, "experiment": ended}, [f"{answers} answers everybody: {WHEN}", ended["why"]], back
    )


def _lines(current: Rollout, words: str, weighed: list[Weighed]) -> list[str]:
    asked = current["experiment"]
    verdict = asked.get("verdict")
    champion, challenger = called(current)
    head = f"{challenger}: {current['state']}, {percent(current['share'])} beside {champion}"
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
    rows = [(one["started_at"], *_names(one), one["experiment"]["metric"], one["state"], one["why"]) for one in kept]
    return table(rows, ("started", "challenger", "champion", "metric", "state", "why"))


def _names(one: ExperimentItem) -> tuple[str, str]:
    """Name challenger and champion, with the thresholds that were compared."""
    asked = one["experiment"]
    if "threshold" not in asked:
        return one["release"], one["champion"]
    return f"{one['release']} at {asked['threshold']:g}", f"{one['champion']} at {asked['against']:g}"


def _as_json(found: Difference) -> dict[str, Any]:
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "entities": found.entities,
        "odds": in_digits(found.log_e),
    }
