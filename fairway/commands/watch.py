"""`fairway watch`: the windows of a stage with their verdicts and what followed, one of them in full, a look at one
now; and retraining by the loop, stopped and started.
"""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.timestamps import iso, parse_timestamp
from domain.train.windows import run_name
from domain.watch.decision import is_paused
from domain.watch.estimate import in_words as estimate_in_words
from domain.watch.verdict import ALARMS, Kind, Outcomes, WindowItem
from domain.watch.windows import last_whole, span_of
from fairway.stage import executions, loop
from fairway.stage.aws import Stage
from fairway.stage.settings import connected
from fairway.stage.windows import HEADS, NONE, alarms, followed, in_words, row, windows, wrong_share
from fairway.stage.windows import window as read_window
from fairway.terminal.command import HERE, AsOf, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Interrupted, Refused
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)
SHOWN = 30  # windows of the list


class Steer(StrEnum):
    """A word after `fairway watch` that stops or starts retraining by the loop."""

    PAUSE = "pause"
    RESUME = "resume"


@app.command(
    "watch",
    epilog="Example: fairway watch   or: fairway watch --window 2026-11-28   or: fairway watch --run   or: fairway "
    "watch pause. A window that declined is a finding, not a failure: exit code 0, and the state says declined.",
)
def watch_command(
    steer: Annotated[
        Steer | None,
        typer.Argument(
            help="pause: no window starts a run until `resume`; decisions are still made. resume: they do again, and "
            "candidates that were rejected before no longer count.",
            metavar="[pause|resume]",
            show_default=False,
        ),
    ] = None,
    project: Project = HERE,
    stage: StageName = "local",
    window: Annotated[
        str | None, typer.Option(help="The window that this timestamp lies in, in full.", metavar="T")
    ] = None,
    now: Annotated[bool, typer.Option("--run", help="Judge it now: --window, or the newest that has ended.")] = False,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """The windows: what was answered, what moved, what became of it, what that means, and what followed."""
    run(
        lambda progress: (
            _steered(project, stage, steer, other=bool(window or now or as_of), progress=progress)
            if steer
            else watch(project, stage, window=window, now=now, as_of=as_of, progress=progress)
        ),
        json=json,
        project=project,
        stage=stage,
    )


def watch(
    folder: Path, stage_name: str, *, window: str | None, now: bool, as_of: str | None, progress: Progress
) -> Done:
    stage = connected(folder, stage_name, progress)
    if as_of and not now:
        raise Refused("as_of", f"--as-of {as_of}: only a run acts as of a time; add --run")
    if now:
        return _one(stage, _look(stage, window=window, as_of=as_of, progress=progress))
    if window:
        return _one(stage, span_of(_timestamp("--window", window), stage.config.monitoring.window_days).name)
    return _all(stage)


def _steered(folder: Path, stage_name: str, steer: Steer, *, other: bool, progress: Progress) -> Done:
    """Stop or start retraining by the loop, with one write."""
    if other:
        raise Refused("steer", f"{steer} concerns every window; leave out --window, --run and --as-of")
    stage = connected(folder, stage_name, progress)
    before = loop.read(stage)
    if steer == Steer.RESUME:
        values = {"stage": stage_name, "loop": loop.resume(stage)}
        return Done(values, ["windows start runs again"], "`fairway watch` lists what they decide")
    if is_paused(before):
        raise Refused("paused", "the loop is paused already; `fairway watch resume` starts it")
    values = {"stage": stage_name, "loop": loop.pause(stage)}
    return Done(values, ["no window starts a run"], "`fairway watch resume` lets them; `fairway train` works as ever")


def _look(stage: Stage, *, window: str | None, as_of: str | None, progress: Progress) -> str:
    """Run the flow to its end, and return the name of the window that it judged."""
    moment = _timestamp("--as-of", as_of) if as_of else datetime.now(UTC).replace(microsecond=0)
    days = stage.config.monitoring.window_days
    span = span_of(_timestamp("--window", window), days) if window else last_whole(moment, days)
    asked = {"as_of": iso(moment), "window": iso(span.start)}
    name = executions.unique(run_name("watch", asked["as_of"], iso(datetime.now(UTC))))
    states = stage.client("stepfunctions")
    arn = executions.start(states, stage.addresses["watch"], name=name, values={"run": name, **asked})
    progress(f"Watching {span.name}")
    try:
        executions.follow(stage, arn, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped looking; {name} goes on in stage {stage.config.stage!r}") from None
    return span.name


def _timestamp(option: str, text: str) -> datetime:
    found = parse_timestamp(text)
    if found is None:
        raise Refused("timestamp", f"{option} {text}: must be an ISO 8601 date or time such as 2013-04-01")
    return found


# ---- every window


def _all(stage: Stage) -> Done:
    found, state = windows(stage), loop.read(stage)
    values = {"stage": stage.config.stage, "windows": found, "loop": state}
    if not found:
        schedule = stage.config.monitoring.schedule
        return Done(values, ["no window was watched yet"], f"`fairway watch --run` looks now; else {schedule}")
    rows = [row(item) for item in found[-SHOWN:]]
    more = [f"{len(found) - SHOWN} earlier ones are in --json"] if len(found) > SHOWN else []
    more += filter(None, [loop.held(stage)])
    return Done(values, [*table(rows, HEADS), *more], "`fairway watch --window T` shows one in full", alarms(found[-1]))


# ---- one window


def _one(stage: Stage, name: str) -> Done:
    item = read_window(stage, name)
    if item is None:
        known = windows(stage)
        there = f"windows from {known[0]['run']} to {known[-1]['run']} were" if known else "none was watched yet"
        raise Refused("window", f"window {name} was not watched; {there}; `fairway watch --run --window {name}` looks")
    values = {"stage": stage.config.stage, "window": item}
    return Done(values, _lines(item), _next(item), alarms(item))


def _lines(item: WindowItem) -> list[str]:
    looked = f"{item['start'][:10]} to {item['end'][:10]}, as of {item['as_of']}"
    lines = [f"window {item['run']}: {item['state']} ({looked})", f"{item['rows']:,} answers captured"]
    answers = [_answers(name, one) for name, one in item["releases"].items()]
    if answers:
        lines += ["", *table(answers, ("release", "answers", "by prior", "p50", "p99", "compared"))]
    outcomes = [_outcomes(name, one) for name, one in item["outcomes"].items()]
    if outcomes:
        heads = (
            "release",
            "outcomes",
            "wrong",
            "predicted",
            "happened",
            "in set",
            "value of one",
            "measured",
            "evidence",
        )
        lines += ["", *table(outcomes, heads)]
    if estimates := item.get("estimates"):
        lines += ["", *(f"{name}, before outcomes: {estimate_in_words(one)}" for name, one in estimates.items())]
    came = item["breaches"]
    lines += ["", f"{came['rows']:,} rows came in, {came['quarantined']:,} of them broke the contract"]
    lines += ["", *map(in_words, item["findings"])] if item["findings"] else ["nothing was found"]
    return [*lines, *(["", f"decided: {followed(item)}"] if "decision" in item else [])]


def _answers(name: str, one: Any) -> tuple[str, ...]:
    by_prior = sum(one["fallbacks"].values())
    times = [f"{one[key]:g} ms" if key in one else NONE for key in ("p50_ms", "p99_ms")]
    compared = "yes" if one["is_compared"] else "no reference"
    return (name, f"{one['rows']:,}", f"{by_prior:,}", *times, compared)


def _outcomes(name: str, one: Outcomes) -> tuple[str, ...]:
    shares = [f"{100 * one[key]:.1f} %" if key in one else NONE for key in ("predicted", "happened", "held")]
    measured = ", ".join(f"{metric} {value:.4f}" for metric, value in one["metrics"].items())
    return (
        name,
        f"{one['outcomes']:,}{' so far' if one['is_open'] else ''}",
        wrong_share([one]),
        *shares,
        f"${one['value_usd']:,.2f}" if "value_usd" in one else NONE,
        measured or NONE,
        f"10^{one['log_evidence'] / _LN_10:.1f}" if "log_evidence" in one else NONE,
    )


_LN_10 = 2.302585092994046


def _next(item: WindowItem) -> str:
    if run := item.get("decision", {}).get("run"):
        return f"`fairway runs` shows what became of {run}"
    if item["state"] == "no data":
        return "`fairway status` shows who answers; nothing was captured in this window"
    if any(Kind(each["kind"]) in ALARMS for each in item["findings"]):
        return "`fairway train` makes a candidate of newer rows; docs/operations.md#windows has more"
    if item["findings"]:
        return "drift alone is no loss: `fairway outcomes FILE` tells what became of the answers"
    return "`fairway watch` lists every window"
