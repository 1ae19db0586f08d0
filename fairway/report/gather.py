"""`fairway report`: what a product manager asks of a stage, gathered from its tables and its lake, and put on one page.

What is not known is None here, and the page says so: nothing is invented.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import astuple
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domain import lake
from domain import records as items
from domain.config.sections import SMALLER_IS_BETTER, Benchmarks
from domain.money import hosting
from domain.money.usage import month_of
from domain.release import routing as rules
from domain.release.gate import at_least_as_good
from domain.release.routing import Routing
from domain.request.answers import fallback_answer
from domain.timestamps import iso
from fairway.money import cost
from fairway.money.synth import synthesise
from fairway.report.page import page
from fairway.stage import records
from fairway.stage.aws import Stage, connect
from fairway.terminal.done import Done
from fairway.terminal.errors import FairwayError, Refused
from fairway.terminal.progress import Progress

Synthesise = Callable[[Path, str], Path]  # folder and stage to the folder of its templates

DEFAULT = "report.html"
LOOKED_AT = (
    1000  # stored answers that one page of a scan reads: enough for a share, and a cent pays for hundreds of reports
)


def report(
    folder: Path, stage_name: str, *, out: Path | None = None, synth: Synthesise = synthesise, progress: Progress
) -> Done:
    stage, file = connect(folder, stage_name), _writable(out or folder / DEFAULT)
    found = _gathered(stage, synth=synth, progress=progress)
    file.write_text(page(found), encoding="utf-8")
    champion = found["champion"]["release"] if found["champion"] else None
    worth = found["money"].get("worth")
    values = {
        "out": str(file),
        "stage": stage_name,
        "champion": champion,
        "releases": len(found["releases"]),
        "monthly_usd": found["money"].get("monthly_usd"),
        "worth": worth["sentence"] if worth else None,
        "unknown": found["money"].get("unknown"),
    }
    return Done(
        values,
        [f"{file}: {champion or 'no release yet; the fallback answers'}"],
        f"open {file} in a browser; it prints too",
    )


def _writable(file: Path) -> Path:
    """Refused before anything is gathered, which takes seconds."""
    if file.is_dir() or not file.parent.is_dir():
        what = "is a folder" if file.is_dir() else f"there is no folder {file.parent}"
        raise Refused("file", f"--out {file}: {what}; name a file in a folder that is there")
    return file


def _gathered(stage: Stage, *, synth: Synthesise, progress: Progress) -> dict:
    """Everything on the page, as plain data."""
    progress("Reading releases, loads and batches")
    config, routing = stage.config, records.routing(stage)
    champion = rules.champion(routing)
    release = {**(records.release(stage, champion["release"]) or {}), **champion} if champion else None
    return {
        "project": config.project.name,
        "stage": config.stage,
        "made_at": iso(datetime.now(UTC).replace(microsecond=0)),
        "routing_reason": routing["reason"],
        "champion": release,
        "judged": release and _judged(stage, release),
        "failing": _failing(stage, routing),
        "releases": records.releases(stage),
        "loads": _loads(records.runs(stage, "load")),
        "batches": [_batch(run) for run in records.runs(stage, "batch")],
        "money": _money(stage, release, synth=synth, progress=progress),
        "columns": _columns(stage),
    }


# ---- what the champion was judged on


def _judged(stage: Stage, release: dict) -> dict | None:
    """The run's evaluation beside the benchmarks as they were agreed then. None where the lake no longer has it."""
    evaluation = _document(stage, release, "evaluation.json")
    measured = evaluation and evaluation["candidates"].get(release.get("candidate"))
    if not evaluation or not measured:
        return None
    agreed = _document(stage, release, "settings/config.json")
    benchmarks = Benchmarks(**agreed["benchmarks"]) if agreed else stage.config.benchmarks
    metric, before = evaluation["metric"], evaluation["champion"]
    return {
        "metric": metric,
        "smaller_is_better": metric in SMALLER_IS_BETTER,
        "rows": evaluation["rows"],
        "window": evaluation["window"],
        "checks": _checks(benchmarks, measured, evaluation),
        "quality": measured["metrics"][metric],
        "standard_error": measured.get("standard_error"),
        "calibration_error": measured["metrics"].get("calibration_error"),
        "calibration_limit": benchmarks.calibration_error,
        "agreed": benchmarks.quality or None,
        "prior": evaluation["baseline"].get(metric),
        "before": before and {"release": before["release"], "quality": before["metrics"][metric]},
        "gain": benchmarks.gain,
        "tried": [
            {"candidate": name, "quality": each["metrics"][metric], "standard_error": each.get("standard_error")}
            for name, each in evaluation["candidates"].items()
        ],
    }


def _checks(benchmarks: Benchmarks, measured: dict, evaluation: dict) -> list[dict]:
    """Each benchmark: what was agreed (None: nothing was) and what was measured, of the prior and the champion before
    too.
    """
    metric, before = evaluation["metric"], evaluation["champion"] or {}
    quality = measured["metrics"][metric]
    smaller = metric in SMALLER_IS_BETTER
    rows = [
        {
            "what": metric,
            "agreed": f"at {'most' if smaller else 'least'} {benchmarks.quality:g}" if benchmarks.quality else None,
            "measured": quality,
            "prior": evaluation["baseline"].get(metric),
            "before": before.get("metrics", {}).get(metric),
            "kept": at_least_as_good(metric, quality, benchmarks.quality) if benchmarks.quality else None,
        }
    ]
    limits = (
        ("calibration error", "calibration_error", benchmarks.calibration_error),
        ("p99 of scoring one row, ms", "p99_ms", benchmarks.p99_ms),
        ("size, MB", "size_mb", benchmarks.size_mb),
    )
    for what, key, most in limits:
        value, other = (of.get(key, of.get("metrics", {}).get(key)) for of in (measured, before))
        if value is not None:
            prior = evaluation["baseline"].get(key)
            rows.append(
                {
                    "what": what,
                    "agreed": f"at most {most:g}",
                    "measured": value,
                    "prior": prior,
                    "before": other,
                    "kept": value <= most,
                }
            )
    return rows


def _document(stage: Stage, release: dict, name: str) -> dict | None:
    """A JSON file of the release's run, if the lake has it."""
    s3 = stage.client("s3")
    try:
        found = s3.get_object(Bucket=stage.addresses["lake"], Key=lake.run_key(release.get("run", "none"), name))
    except s3.exceptions.NoSuchKey:
        return None
    return json.loads(found["Body"].read())


# ---- what if it fails


def _failing(stage: Stage, routing: Routing) -> dict:
    serving, previous = stage.config.serving, routing["previous"]
    answers = _stored_answers(stage)
    return {
        "answer": fallback_answer(stage.contract, threshold=serving.threshold),
        "target": stage.contract.target.name,
        "deadline_ms": serving.deadline_ms,
        "alarm_percent": stage.config.monitoring.fallback_percent,
        "looked_at": sum(answers.values()) if answers else None,
        "by_fallback": answers["fallback"] if answers else None,
        "rollback_to": previous[0]["release"] if previous else None,
        "keep_previous_minutes": stage.config.release.keep_previous_minutes,
    }


def _stored_answers(stage: Stage) -> Counter | None:
    """Who gave the stored answers, of so many as one page of a scan reads. None where nothing is stored."""
    if "predictions" not in stage.addresses:
        return None
    found = stage.client("dynamodb").scan(
        TableName=stage.addresses["predictions"],
        Limit=LOOKED_AT,
        ProjectionExpression="#source",
        ExpressionAttributeNames={"#source": "source"},
    )
    return Counter(items.from_item(item).get("source", "unknown") for item in found["Items"]) or None


# ---- what went in and out


def _loads(runs: Iterable[dict]) -> dict:
    found = list(runs)
    reasons = sum((Counter(run.get("reasons", {})) for run in found), Counter())
    return {
        "accepted": sum(run["accepted"] for run in found),
        "quarantined": sum(run["quarantined"] for run in found),
        "reasons": dict(reasons.most_common()),
        "files": sorted(found, key=lambda run: (run.get("first") or "", run.get("file") or "")),
    }


def _batch(run: dict) -> dict:
    """`adds_up` is None for a run that has not been counted."""
    counts: dict[str, Any] = {key: run.get(key) for key in ("read", "scored", "quarantined", "written")}
    known = None not in counts.values()
    adds_up = (
        counts["read"] == counts["scored"] + counts["quarantined"] and counts["scored"] == counts["written"]
        if known
        else None
    )
    kept = {key: run.get(key) for key in ("run", "release", "status", "seconds", "started_at")}
    return {**kept, **counts, "adds_up": adds_up, "reasons": run.get("reasons", {})}


def _columns(stage: Stage) -> list[dict]:
    kept = ("name", "type", "role", "nullable", "source", "owner", "description")
    return [{key: getattr(column, key) for key in kept} for column in stage.contract.columns]


# ---- what it costs, and whether it is worth it


def _money(stage: Stage, release: dict | None, *, synth: Synthesise, progress: Progress) -> dict:
    """The projection, the hosts and the worth; {unknown: why} where the templates cannot be made."""
    config, folder = stage.config, stage.folder
    try:
        month, prices = month_of(config), cost.read_table(folder, config)
        progress(f"Building the templates of {config.stage}, for what they cost")
        report = cost.projected(synth(folder, config.stage), month, prices, date.today().isoformat())
    except FairwayError as error:
        return {"unknown": error.message}
    counts = release and release.get("decisions")
    judged = counts and any(astuple(config.business))
    return {
        **report.as_json(),
        "alert_percent": config.budget.alert_percent,
        "usage": config.usage.size,
        "requests": month.requests,
        "hosting": hosting.compare(month, cost.measured(month, release), prices),
        "worth": cost.worth_of(config, stage.contract, None, counts, report.projection) if judged else None,
    }
