"""`fairway report`: gather a stage's data for decision makers from its tables and lake, and write one page."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

from domain import records as items
from domain.contract.schema import Column, Contract
from domain.money import hosting
from domain.money.projection import Projection
from domain.money.usage import month_of
from domain.packed import unpacked_json
from domain.release import routing as routing_rules
from domain.release.routing import Routing
from domain.release.state import ReleaseItem
from domain.request.answers import fallback_answer
from domain.runs import BatchItem, LoadItem
from domain.timestamps import iso, parse_timestamp
from fairway.deploy.synth import synthesise
from fairway.money import cost
from fairway.money.value import Value, value_of
from fairway.report.judged import read_judged
from fairway.report.page import page
from fairway.report.page_file import writable, write_page
from fairway.report.record import Batch, Bill, Champion, Failing, File, Judged, Loads, Release, Report, Source
from fairway.report.trial import read_trial
from fairway.report.watched import wrong_at_release
from fairway.stage import records
from fairway.stage.aws import Stage, connect
from fairway.stage.standing import Standing, standing
from fairway.stage.windows import windows
from fairway.terminal.done import Done
from fairway.terminal.errors import FairwayError
from fairway.terminal.progress import Progress

Synthesise = Callable[[Path, str], Path]  # from folder and stage to the folder of its templates

DEFAULT = "report.html"
# Stored answers in one page of a scan: enough for a share, and a cent pays for hundreds of reports.
LOOKED_AT = 1000


def report(
    folder: Path, stage_name: str, *, out: Path | None = None, synth: Synthesise = synthesise, progress: Progress
) -> Done:
    """Write the page of a stage."""
    stage, file = connect(folder, stage_name), writable(out or folder / DEFAULT)
    gathered = _gather(stage, synth=synth, progress=progress)
    write_page(file, page(gathered))
    champion = gathered.champion.release if gathered.champion else "no release yet; the fallback answers"
    return Done(
        {"out": str(file), **gathered.as_json()},
        [f"{file}: {champion}"],
        f"open {file} in a browser; it prints too",
        gathered.standing.alarms() if gathered.standing else [],
    )


def _gather(stage: Stage, *, synth: Synthesise, progress: Progress) -> Report:
    progress("Reading releases, loads and batches")
    routing = records.routing(stage)
    current = routing["champion"]
    item: ReleaseItem | None = (records.release(stage, current["release"]) or {}) if current else None
    now = standing(stage, item) if item else None
    bill = _bill(stage, item, now, synth=synth, progress=progress)
    return Report(
        project=stage.config.project.name,
        stage=stage.config.stage,
        made_at=iso(datetime.now(UTC).replace(microsecond=0)),
        routing_reason=routing["reason"],
        champion=_champion(current, item or {}) if current else None,
        standing=now,
        judged=_judged(stage, item) if item else None,
        windows=windows(stage),
        wrong_at_release=wrong_at_release(item.get("decisions")) if item else None,
        failing=_failing(stage, routing, item),
        trial=read_trial(stage),
        releases=[_release(each) for each in records.releases(stage)],
        loads=_loads(records.runs(stage, "load")),
        batches=[_batch(run) for run in records.runs(stage, "batch")],
        bill=bill if isinstance(bill, Bill) else None,
        bill_unknown=None if isinstance(bill, Bill) else bill,
        sources=_sources(stage.contract),
    )


def _champion(current: routing_rules.Champion, item: ReleaseItem) -> Champion:
    return Champion(
        release=current["release"],
        since=current["since"],
        run=item.get("run"),
        candidate=item.get("candidate"),
        reason=item.get("reason"),
        why=item.get("why"),
        answers=item.get("answers"),
        is_imported=item.get("imported", False),
    )


def _judged(stage: Stage, item: ReleaseItem) -> Judged | None:
    newest = item.get("newest")
    return read_judged(stage, run=item.get("run"), candidate=item.get("candidate"), newest=newest)


def _release(item: ReleaseItem) -> Release:
    return Release(item["release"], item.get("state"), item.get("candidate"), item.get("created_at"), _why(item))


def _why(item: ReleaseItem) -> str | None:
    """Tell how a release was judged, and what its replay and its rollout came to."""
    later = {name: cast(Mapping[str, Any], item.get(name) or {}).get("why") for name in ("replay", "rollout")}
    told = [item.get("reason"), *(f"{name}: {why}" for name, why in later.items() if why)]
    return "; ".join(filter(None, told)) or None


# ---- failure behaviour


def _failing(stage: Stage, routing: Routing, item: ReleaseItem | None) -> Failing:
    serving, previous = stage.config.serving, routing["previous"]
    answers = _stored_answers(stage)
    return Failing(
        answer=fallback_answer(stage.contract, threshold=routing_rules.decides_from(routing, serving.threshold)),
        target=stage.contract.target.name,
        deadline_ms=serving.deadline_ms,
        alarm_percent=stage.config.monitoring.fallback_percent,
        looked_at=sum(answers.values()) if answers else None,
        by_fallback=answers["fallback"] if answers else None,
        rollback_to=previous[0]["release"] if previous else None,
        keep_previous_minutes=stage.config.release.keep_previous_minutes,
        segments=_segments(item),
    )


def _segments(item: ReleaseItem | None) -> str | None:
    """Return the column by whose values the fallback answers, if the release carries such priors."""
    table = unpacked_json(item["confidence"]) if item and "confidence" in item else {}
    return cast(str | None, table.get("segments", {}).get("column"))


def _stored_answers(stage: Stage) -> Counter[str] | None:
    """Count the sources of stored answers in one page of a scan. None if nothing is stored."""
    if "predictions" not in stage.addresses:
        return None
    found = stage.client("dynamodb").scan(
        TableName=stage.addresses["predictions"],
        Limit=LOOKED_AT,
        ProjectionExpression="entity_id, #source, expires_at",
        ExpressionAttributeNames={"#source": "source"},
    )
    now, stored = datetime.now(UTC), [items.from_item(item) for item in found["Items"]]
    # the table also has the requests with a key, which have no entity
    answers = [one for one in stored if "entity_id" in one and not items.is_expired(one, now)]
    return Counter(one.get("source", "unknown") for one in answers) or None


# ---- loads and batches


def _loads(runs: Iterable[LoadItem]) -> Loads:
    loads = sorted(runs, key=lambda run: (run.get("first") or "", run.get("file") or ""))
    reasons: Counter[str] = sum((Counter(run.get("reasons", {})) for run in loads), Counter())
    newest = max((last for run in loads if (last := run.get("last"))), default=None)
    return Loads(
        accepted=sum(run["accepted"] for run in loads),
        quarantined=sum(run["quarantined"] for run in loads),
        reasons=dict(reasons.most_common()),
        newest=newest,
        age_days=(datetime.now(UTC) - moment).days if (moment := parse_timestamp(newest or "")) else None,
        files=[_file(run) for run in loads],
    )


def _file(run: LoadItem) -> File:
    when = run.get("first"), run.get("last"), run.get("loaded_at")
    return File(run.get("file"), run["accepted"], run["quarantined"], *when)


def _batch(run: BatchItem) -> Batch:
    counts: dict[str, Any] = {key: run.get(key) for key in ("read", "scored", "quarantined", "written")}
    adds_up = None
    if None not in counts.values():
        adds_up = counts["read"] == counts["scored"] + counts["quarantined"] and counts["scored"] == counts["written"]
    return Batch(
        run=run["run"],
        status=run["status"],
        release=run.get("release"),
        seconds=run.get("seconds"),
        adds_up=adds_up,
        **counts,
    )


def _sources(contract: Contract) -> list[Source]:
    found: dict[tuple[str, str], list[Column]] = {}
    for column in contract.columns:
        found.setdefault((column.source, column.owner), []).append(column)
    return [Source(source, owner, columns) for (source, owner), columns in found.items()]


# ---- cost and value


def _bill(
    stage: Stage, release: ReleaseItem | None, now: Standing | None, *, synth: Synthesise, progress: Progress
) -> Bill | str:
    """Project the month, the hosts and the value; or return the reason why the templates cannot be made."""
    config, folder = stage.config, stage.folder
    try:
        month, prices = month_of(config), cost.read_table(folder, config)
        progress(f"Building the templates of {config.stage}, for what they cost")
        report = cost.projected(synth(folder, config.stage), month, prices, date.today().isoformat())
    except FairwayError as error:
        return error.message
    return Bill(
        projection=report.projection,
        budget_usd=report.budget_usd,
        alert_percent=config.budget.alert_percent,
        usage=config.usage.size,
        requests=month.requests,
        hosting=hosting.compare(month, cost.measured(month, release), prices),
        value=_value(stage, report.projection, release, now) if release and now else None,
    )


def _value(stage: Stage, bill: Projection, release: ReleaseItem, now: Standing) -> Value | None:
    held_out, joined = release.get("decisions"), now.observed.decisions
    return value_of(stage.config, stage.contract, bill, held_out=held_out, joined=joined)
