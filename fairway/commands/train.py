"""`fairway train`: start a training run, or attach to the one in progress, and follow it to its verdict."""

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
    epilog="Example: fairway train --as-of 2013-04-01 --window 90. The default of --as-of is the second after the "
    "newest loaded row. A rejected release is a judgement, not a failure: exit code 0, and the verdict says rejected.",
)
def train_command(
    project: Project = HERE,
    stage: StageName = "local",
    as_of: AsOf = None,
    window: Annotated[
        int | None, typer.Option(help="Days to look back, instead of data.window_days.", metavar="D", min=1)
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="If approval is automatic: follow an approved release until it is champion.")
    ] = True,
    json: Json = False,
) -> None:
    """Train a model and follow the run to its verdict. The same command attaches to a run in progress."""
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
    """Wait until the release answers, and return its role."""
    return Role.CHAMPION if wait_until_it_answers(stage, release, progress=progress) else Role.CANARY


def request(stage: Stage, *, as_of: str | None, window_days: int | None, progress: Progress) -> dict:
    """Return the input of the state machine, {as_of, window_days?}, checked here so that a mistake costs nothing."""
    loads = list(records.runs(stage, "load"))
    if not loads:
        raise Refused("no_rows", "no rows are loaded yet; load some with `fairway load FILE...`")
    data = stage.config.data
    if window_days is not None and window_days <= data.evaluate_days:
        some = f"data.evaluate_days = {data.evaluate_days}, which are held out for the evaluation"
        raise Refused("window", f"--window {window_days}: must be more than {some}")
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
    """Return the second after the newest row that is not in the future, so that one row of 2099 does not hide the
    others.

    For rows without a time it is the timestamp of the newest load.
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
    """Return the name of the run once it has ended successfully."""
    states, machine = stage.client("stepfunctions"), stage.addresses["train"]
    going = next((one for one in executions.running(states, machine) if same(one["input"], asked)), None)
    if going:
        run, arn = going["input"]["run"], going["arn"]
        progress(f"Attaching to {run}, which is in progress")
    else:
        run, arn = started(stage, run_name("train", asked["as_of"], iso(datetime.now(UTC))), asked, progress)
    try:
        executions.follow(stage, arn, progress=progress)
    except KeyboardInterrupt:
        window = f" --window {asked['window_days']}" if "window_days" in asked else ""
        attach = f"`fairway train --as-of {asked['as_of']}{window}`"
        raise Interrupted(
            f"stopped watching; {run} continues in stage {stage.config.stage!r}; {attach} attaches to it"
        ) from None
    return run


def started(stage: Stage, name: str, asked: dict, progress: Progress) -> tuple[str, str]:
    """Return name and execution of the requested run: a new one, or that of a command in the same second.

    A name is made of a second. While its execution runs, AWS accepts the same name with the same input; another input
    needs another run.
    """
    states = stage.client("stepfunctions")
    for number in itertools.count(1):
        run = name if number == 1 else f"{name}-{number}"
        try:
            arn = executions.start(states, stage.addresses["train"], name=run, values={"run": run, **asked})
        except states.exceptions.ExecutionAlreadyExists:
            progress(f"{run} was started in the same second with other settings")
            continue
        progress(f"Starting {run}")
        return run, arn
    raise AssertionError("count never ends")


def same(given: dict, asked: dict) -> bool:
    other = {"window_days": None, "imported": None}  # an import is not a training run to attach to, nor an evaluation
    trains = not given.get("only_evaluate")
    return trains and {key: given.get(key) for key in ("as_of", *other)} == {**other, **asked}


def verdict(stage: Stage, run: str) -> dict:
    """Return the judgement: the run's record, updated by its release's item."""
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
    """Return whether a judged release becomes champion without a person."""
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
    return "trained on the others" if is_random else f"trained on rows from {values['data_window']['train_start']} on"


def _judged_on(values: dict) -> str:
    """Describe the rows that there really were; a table without event time has no span."""
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
        return "`fairway predict --file FILE` sends requests; `fairway batch FILE` scores a table"
    if values["verdict"] == "rejected":
        return (
            "`fairway releases` compares it with the others; more rows, or other [benchmarks], may change the verdict"
        )
    if values["state"] == ReleaseState.WAITING:
        return f"`fairway promote {values['release']}` approves and releases it"
    return "`fairway status` shows when it answers"
