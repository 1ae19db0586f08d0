"""`fairway train`: start a training run, or attach to the one that is going, and follow it to its verdict."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from domain.release.claims import Role
from domain.release.gate import Judgement
from domain.release.state import ReleaseState, Verdict
from domain.runs import LoadItem
from domain.timestamps import iso, parse_timestamp
from domain.train.coverage import describe
from domain.train.windows import newest_row, run_name, training_window
from fairway.stage import executions, records
from fairway.stage.aws import Stage
from fairway.stage.deployment import WHEN, wait_until_it_answers
from fairway.stage.documents import run_document
from fairway.stage.loads import parts_of
from fairway.stage.settings import connected
from fairway.terminal.command import HERE, AsOf, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Interrupted, Refused
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "train",
    epilog="Example: fairway train --as-of 2013-04-01 --window 90. Without --as-of it is the moment after the newest "
    "loaded row. A rejected release is a judgement, not a failure: exit code 0, and the verdict says rejected.",
)
def train_command(
    project: Project = HERE,
    stage: StageName = "local",
    as_of: AsOf = None,
    window: Annotated[
        int | None, typer.Option(help="Days to look back, instead of data.window_days.", metavar="D", min=1)
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Where approval is automatic: follow an approved release until it is champion.")
    ] = True,
    json: Json = False,
) -> None:
    """A training run to its verdict. The same command again attaches to a run that is still going."""
    run(
        lambda progress: train(project, stage, as_of=as_of, window_days=window, wait=wait, progress=progress),
        json=json,
        project=project,
        stage=stage,
    )


def train(
    folder: Path, stage_name: str, *, as_of: str | None, window_days: int | None, wait: bool, progress: Progress
) -> Done:
    stage = connected(folder, stage_name, progress)
    asked = request(stage, as_of=as_of, window_days=window_days, progress=progress)
    run = _run_to_the_end(stage, asked, progress=progress)
    values = verdict(stage, run)
    role = waited_for(stage, values["release"], progress=progress) if wait and is_on_its_way(values) else None
    return Done(values, lines(values, role=role), next_step(values, role=role))


def waited_for(stage: Stage, release: str, *, progress: Progress) -> Role:
    """Wait until the release answers, and return as what."""
    return Role.CHAMPION if wait_until_it_answers(stage, release, progress=progress) else Role.CANARY


def request(stage: Stage, *, as_of: str | None, window_days: int | None, progress: Progress) -> dict:
    """What the state machine is asked: {as_of, window_days?}, checked here so that a mistake costs nothing."""
    loads = list(records.runs(stage, "load"))
    if not loads:
        raise Refused("no_rows", "nothing is loaded yet; `fairway load FILE...` puts rows into the lake")
    data = stage.config.data
    if window_days is not None and window_days <= data.evaluate_days:
        some = f"data.evaluate_days = {data.evaluate_days}, which are kept to judge by"
        raise Refused("window", f"--window {window_days} leaves no day to learn from: give more than {some}")
    window = training_window(
        as_of=as_of or after_the_newest_row(loads),
        window_days=data.window_days if window_days is None else window_days,
        evaluate_days=data.evaluate_days,
    )
    other = [load["file"] for load in loads if load.get("contract_hash") != stage.contract.hash]
    if other:
        some = f"{len(other)} of {len(loads)} files, such as {other[0]},"
        progress(f"Note: {some} were loaded under another contract; this one checks their rows again")
    return {"as_of": window["as_of"], **({"window_days": window_days} if window_days else {})}


def after_the_newest_row(loads: list[LoadItem]) -> str:
    """The second after the newest row that is not still to come, so that one row of 2099 leaves the others in the
    window; where rows have no time, the timestamp of the newest load.
    """
    now = datetime.now(UTC)
    newest = newest_row((part for load in loads for part in parts_of(load)), now)
    newest = newest or max(_timestamp(load["loaded_at"]) for load in loads)
    return iso(newest.replace(microsecond=0) + timedelta(seconds=1))


def _timestamp(text: str) -> datetime:
    found = parse_timestamp(text)
    assert found is not None, "a load's record has its timestamps from iso"
    return found


def _run_to_the_end(stage: Stage, asked: dict, *, progress: Progress) -> str:
    """Name of the run, once it has ended well."""
    states, machine = stage.client("stepfunctions"), stage.addresses["train"]
    going = next((one for one in executions.running(states, machine) if same(one["input"], asked)), None)
    if going:
        run, arn = going["input"]["run"], going["arn"]
        progress(f"Attaching to {run}, which is going on")
    else:
        run, arn = started(stage, run_name("train", asked["as_of"], iso(datetime.now(UTC))), asked, progress)
    try:
        executions.follow(stage, arn, progress=progress)
    except KeyboardInterrupt:
        window = f" --window {asked['window_days']}" if "window_days" in asked else ""
        attach = f"`fairway train --as-of {asked['as_of']}{window}`"
        raise Interrupted(
            f"stopped watching; {run} goes on in stage {stage.config.stage!r}; {attach} attaches to it"
        ) from None
    return run


def started(stage: Stage, name: str, asked: dict, progress: Progress) -> tuple[str, str]:
    """Name and execution of the run that answers this: a new one, or that of a command in the same second.

    A name is of a second. AWS takes it again with the same input as long as that runs; another input is another run.
    """
    states = stage.client("stepfunctions")
    for number in itertools.count(1):
        run = name if number == 1 else f"{name}-{number}"
        try:
            arn = executions.start(states, stage.addresses["train"], name=run, values={"run": run, **asked})
        except states.exceptions.ExecutionAlreadyExists:
            progress(f"{run} was begun in the same second with other settings")
            continue
        progress(f"Starting {run}")
        return run, arn
    raise AssertionError("count never ends")


def same(given: dict, asked: dict) -> bool:
    other = {"window_days": None, "imported": None}  # an import is no training run to attach to
    return {key: given.get(key) for key in ("as_of", *other)} == {**other, **asked}


def verdict(stage: Stage, run: str) -> dict:
    """What was judged: the run's record, with what its release's item knows better."""
    record = records.run(stage, "train", run)
    if not record or not record.get("verdict"):
        raise Failed("no_verdict", f"{run} ended without a verdict in table {stage.addresses['runs']}")
    release = records.release(stage, record["release"]) or {}
    judgement: Judgement | None = run_document(stage, run, "verdict.json")
    return {
        "run": run,
        "verdict": record["verdict"],
        "state": release.get("state"),
        "release": record["release"],
        "reason": record["reason"],
        "why": judgement["why"] if judgement else None,
        "answers": judgement["answers"] if judgement else None,
        "decisions": judgement["decisions"] if judgement else None,
        "rates": judgement["rates"] if judgement else None,
        "threshold": judgement["threshold"] if judgement else None,
        "candidate": release.get("candidate"),
        "metrics": release.get("metrics"),
        "rows": judgement["rows"] if judgement else None,
        "coverage": judgement["coverage"] if judgement else None,
        "data_window": {key: record.get(key) for key in ("train_start", "evaluate_start", "as_of")},
        "artefact_sha256": release.get("artefact_sha256"),
    }


def is_on_its_way(values: dict) -> bool:
    """Whether a release that was judged goes on to be champion without a person."""
    return values["verdict"] == Verdict.APPROVED and values["state"] != ReleaseState.WAITING


def lines(values: dict, *, role: Role | None) -> list[str]:
    waits = " (waiting for approval)" if values["state"] == ReleaseState.WAITING else ""
    return [
        f"{values['verdict']}{waits}: {values['reason']}",
        f"release {values['release']} of {values['run']}, {_origin(values)}, judged on {_judged_on(values)}",
        *([f"answers: {values['answers']}", f"why: {values['why']}"] if values["why"] else []),
        *([f"{values['release']} is {role}: {WHEN}"] if role else []),
    ]


def _origin(values: dict) -> str:
    if "imported" in values:
        return "made elsewhere"
    is_random = values["rows"] is not None and values["coverage"] is None
    return "learnt from the others" if is_random else f"learnt from {values['data_window']['train_start']} on"


def _judged_on(values: dict) -> str:
    """Name the rows that there really were; a table without event time has no span."""
    window, coverage = values["data_window"], values["coverage"]
    if values["rows"] is None:
        return f"{window['evaluate_start']} to {window['as_of']}"
    if coverage is None:
        return f"{values['rows']:,} rows held out at random"
    return f"{values['rows']:,} rows of {describe(coverage)}"


def next_step(values: dict, *, role: Role | None) -> str:
    if role == Role.CANARY:
        return "`fairway rollout status` shows its share, and the evidence for and against it"
    if role:
        return "`fairway predict --file FILE` asks it; `fairway batch FILE` scores a table"
    if values["verdict"] == "rejected":
        return (
            "`fairway releases` compares it with the others; more rows, or other [benchmarks], may change the verdict"
        )
    if values["state"] == ReleaseState.WAITING:
        return f"`fairway promote {values['release']}` approves and releases it"
    return "`fairway status` shows when it answers"
