"""`fairway redrive`: capture answers that `capture` gave up, after the cause was fixed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import typer

from fairway.stage import undelivered
from fairway.stage.aws import Stage
from fairway.stage.settings import connected_whatever
from fairway.stage.undelivered import Message, NotCaptured, Trimmed
from fairway.terminal.command import HERE, Json, Project, StageName, run
from fairway.terminal.done import Done
from fairway.terminal.progress import Progress

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "redrive",
    epilog="Example: fairway redrive --stage prod. First fix the cause that the log of `capture` names.",
)
def redrive_command(project: Project = HERE, stage: StageName = "local", json: Json = False) -> None:
    """Capture the answers that `capture` gave up, from the queue of undelivered events. The stream has them for 24
    hours.

    Other events in the queue are counted, and stay.
    """
    run(lambda progress: redrive(project, stage, progress=progress), json=json, project=project, stage=stage)


@dataclass
class Tally:
    """What became of the messages; `failed` and `lost` have a reason each."""

    messages: int = 0
    captured: int = 0
    set_aside: int = 0
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    others: int = 0


def redrive(folder: Path, stage_name: str, *, progress: Progress) -> Done:
    stage = connected_whatever(folder, stage_name, progress)
    tally, staying = Tally(), []
    progress("Reading the queue of undelivered events")
    for message in undelivered.messages(stage, until=datetime.now(UTC)):
        if not _is_captured(stage, message, tally):
            staying.append(message)
        progress.detail(f"{tally.captured:,} answers captured")
    for message in staying:
        undelivered.put_back(stage, message)
    return _told(stage, tally)


def _is_captured(stage: Stage, message: Message, tally: Tally) -> bool:
    """Capture what the message points to and delete it; return whether that was possible."""
    if not message.batch and not message.set_aside:
        tally.others += 1
        return False
    try:
        found = undelivered.capture(stage, undelivered.records_of(stage, message))
    except Trimmed as error:
        tally.lost.append(str(error))
        return False
    except NotCaptured as error:
        tally.failed.append(str(error))
        return False
    undelivered.done(stage, message)
    tally.messages += 1
    tally.captured += found.captured
    tally.set_aside += found.set_aside
    return True


def _told(stage: Stage, tally: Tally) -> Done:
    values = {**vars(tally), "queue": stage.addresses["undelivered"]}
    lines = [f"captured {tally.captured:,} answers of {tally.messages:,} messages"]
    if tally.set_aside:
        lines.append(f"set aside again {tally.set_aside:,} records: each has a new message with its reason")
    lines += [f"not captured: {reason}" for reason in _each_once(tally.failed)]
    lines += [f"lost to the capture: {reason}; the answers are in the table" for reason in _each_once(tally.lost)]
    if tally.others:
        lines.append(f"{tally.others:,} messages are other events and stay in {values['queue']}")
    failed = bool(tally.failed or tally.lost)
    following = (
        "fix the named cause, then run `fairway redrive` again; docs/operations.md, Undelivered"
        if failed
        else "`fairway status` shows which release answers"
    )
    return Done(values, lines, following, exit_code=int(failed))


def _each_once(reasons: list[str]) -> list[str]:
    return [f"{reason} ({reasons.count(reason)} messages)" for reason in dict.fromkeys(reasons)]
