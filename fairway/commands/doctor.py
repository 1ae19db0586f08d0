"""`fairway doctor`: check whether a stage can be deployed."""

from pathlib import Path

import typer

from fairway.commands.deploy import AwsStage
from fairway.terminal.command import HERE, Json, Project, as_typed, run
from fairway.terminal.done import Done
from fairway.terminal.progress import Progress
from fairway.terminal.table import table

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog="Example: fairway doctor --stage dev")
def doctor_command(stage: AwsStage, project: Project = HERE, json: Json = False) -> None:
    """Check the account and this machine before a deployment; exit with 1 if something would fail."""
    run(lambda progress: doctor(project, stage, progress=progress), json=json, project=project, stage=stage)


def doctor(folder: Path, stage: str, *, progress: Progress) -> Done:
    """Return every finding, with those that would fail a deployment first."""
    # lazy: the AWS SDK is not needed for help
    from fairway.doctor.examination import examine
    from fairway.doctor.finding import State

    worst = [State.PROBLEM, State.WARNING, State.UNKNOWN, State.FINE]
    found = sorted(examine(folder, stage, tell=progress), key=lambda each: worst.index(each.state))
    counts = {state: sum(each.state is state for each in found) for state in worst}
    ok = not counts[State.PROBLEM]
    findings = [
        {
            "check": each.check,
            "state": each.state,
            "message": each.message,
            "mend": as_typed(each.mend, folder, stage),
        }
        for each in found
    ]
    rows = [[each[key] for key in ("state", "check", "message", "mend")] for each in findings]
    lines = [*table(rows, ("", "about", "found", "mend by")), ""]
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    following = "`fairway deploy` deploys the stage" if ok else "fix the problems, then run `fairway doctor`"
    values = {"stage": stage, "ok": ok, "counts": counts, "findings": findings}
    return Done(values, lines, following, exit_code=0 if ok else 1)
