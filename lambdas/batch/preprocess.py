"""Batch, first state: list the input, refuse what cannot be scored before it costs anything, plan one shard for each
file.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

from domain import lake
from domain.batch.segments import Summary, flat, next_row
from domain.records import run_key
from domain.runs import BatchItem, BatchSettings, RunKind, RunStatus
from domain.timestamps import iso, parse_timestamp
from domain.train.windows import checked_run
from lambdas.aws import objects, signatures, tables
from lambdas.aws.objects import Listed
from lambdas.aws.routes import ChampionModel, champion_model
from lambdas.batch.input_listing import (
    MOST_NAMED,
    InputRefused,
    Listing,
    ReadRange,
    checked_files,
    folder_of,
    shard_of,
)
from lambdas.batch.run_settings import (
    continued,
    first_settings,
    settings_key,
    with_identities,
    write_settings,
)
from lambdas.batch.scored_before import ScoredFiles, not_scored
from lambdas.settings import CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]


class Place(NamedTuple):
    """A file, or a folder whose prefix ends in /."""

    bucket: str
    prefix: str


class Plan(TypedDict):
    """Values that the next states of the flow use; no manifest if there is nothing to score."""

    run: str
    as_of: str
    release: str | None
    model_uri: str | None
    settings_uri: str
    shards_manifest: str | None
    shards: int
    instances: int
    output_uri: str
    store: bool  # also false if there is no file


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the input, the lake, the releases and the run's item."""

    listing: Listing
    read: ReadRange
    read_each: Callable[[Iterable[str]], list[Any]]  # reads documents of the lake, None where there is none
    scored: Callable[[str | None], list[ScoredFiles]]  # reads a release
    write: Callable[[str, object], None]  # writes a document to the lake
    champion: Callable[[], ChampionModel | None]
    verify: Callable[[Mapping[str, Any]], None]  # raises SignatureRefused
    record: Callable[[str, BatchItem], None]


def handler(event: dict[str, Any], context: object) -> Plan:
    return preprocess(
        checked_run(event["run"]),
        place=_place_of(event["input"]),
        as_of=_timestamp_of(event["as_of"]),
        store=_flag("store", event.get("store", True)),
        only_new=_flag("only_new", event.get("only_new", False)),
        effects=Effects(
            listing=objects.listing,
            read=objects.read_range,
            read_each=lambda keys: objects.read_each(LAKE, keys),
            scored=_scored,
            write=lambda key, document: objects.write_json(LAKE, key, document),
            champion=lambda: champion_model(ROUTING),
            verify=signatures.verify,
            record=_record_run,
        ),
    )


def preprocess(run: str, *, place: Place, as_of: str, store: bool, only_new: bool, effects: Effects) -> Plan:
    """Plan the Score job.

    A run that is started again keeps its release and files, and scores the rest. Without `store` the predictions are
    Parquet only, since writing each to the table costs more than scoring it. With `only_new`, files that were scored
    before with this release and contract are skipped.
    """
    uri, folder = lake.uri(*place), folder_of(place.prefix)
    known, planned = effects.read_each([settings_key(run, "run.json"), settings_key(run, "files.json")])
    settings = continued(known, uri) if known else first_settings(run, as_of, store, only_new, uri, effects.champion())
    begun_with = planned["files"] if known else None
    found = checked_files(*place, effects.listing, effects.read, wanted=_wanted(place, settings, begun_with, effects))
    if settings["release"]:
        effects.verify(settings)
    progress = _progress_of(run, effects)
    left = [key for key in found.files if progress.get(shard_of(key, folder), 1) is not None]
    begun = {shard: row for shard, row in progress.items() if row is not None and row > 1}
    files = {lake.uri(place.bucket, key): etag for key, etag in found.files.items()}
    _refuse_changed(run, begun_with or {}, files)
    identified = with_identities(settings, files, lake.uri(place.bucket, folder))
    write_settings(identified, begun, files, effects.write)
    if left:
        effects.write(settings_key(run, "shards.manifest"), _manifest_of(place.bucket, folder, left))
    planned_item = _planned(settings, uri, len(files))
    effects.record(run, planned_item if known else {**planned_item, "passed_over": found.passed_over})
    return _plan(settings, files=len(files), shards=len(left))


def _wanted(
    place: Place, settings: BatchSettings, begun_with: dict[str, str] | None, effects: Effects
) -> Callable[[Listed], bool]:
    """Return the rule that selects files: those with which the run began, or for a new run those it is to score."""
    if begun_with is not None:
        return lambda file: lake.uri(place.bucket, file.key) in begun_with
    if not settings["only_new"]:
        return lambda file: True
    return not_scored(place.bucket, effects.scored(settings["release"]), store=settings["store"])


def _refuse_changed(run: str, begun_with: dict[str, str], files: dict[str, str]) -> None:
    changed = [uri for uri, etag in begun_with.items() if files.get(uri) != etag]
    if changed:
        raise InputRefused(f"{', '.join(changed[:MOST_NAMED])}: changed since run {run} began; start a new run")


def _planned(settings: BatchSettings, uri: str, shards: int) -> BatchItem:
    return {
        "as_of": settings["as_of"],
        "release": settings["release"],
        "store": settings["store"],
        "input": uri,
        "shards": shards,
    }


def _plan(settings: BatchSettings, *, files: int, shards: int) -> Plan:
    run = settings["run"]
    return {
        "run": run,
        "as_of": settings["as_of"],
        "release": settings["release"],
        "model_uri": settings["model_uri"],
        "settings_uri": lake.uri(LAKE, lake.batch_prefix(run, "settings")),
        "shards_manifest": lake.uri(LAKE, settings_key(run, "shards.manifest")) if shards else None,
        "shards": shards,
        "instances": max(1, min(CONFIG.batch.instances, shards)),
        "output_uri": lake.uri(LAKE, lake.batch_folder(run)),
        "store": settings["store"] and files > 0,
    }


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputRefused(f"{name} = {value!r}: must be true or false")
    return value


def _place_of(text: str) -> Place:
    """Parse an s3:// URI, or a path within the lake. Raises InputRefused."""
    try:
        return Place(*(lake.split_uri(text) if "://" in text else (LAKE, text.lstrip("/"))))
    except ValueError as error:
        raise InputRefused(str(error)) from None


def _timestamp_of(text: str) -> str:
    timestamp = parse_timestamp(text)
    if timestamp is None:
        raise InputRefused(f"as_of = {text!r}: must be an ISO 8601 date or time such as 2013-04-01T00:00:00Z")
    return iso(timestamp)


def _progress_of(run: str, effects: Effects) -> dict[str, int | None]:
    """Find, for each shard that an earlier job began, the first row that is not scored; None if all are.

    A job's files are uploaded while it runs, in any order, so a segment counts only once every file in its summary
    exists in full size.
    """
    place = lake.batch_folder(run)
    sizes = {file.key.removeprefix(place): file.size for file in effects.listing(LAKE, place)}
    segments: dict[str, list[Summary]] = defaultdict(list)
    for summary in effects.read_each(place + name for name in sizes if name.startswith("summary/")):
        if all(sizes.get(file) == size for file, size in summary["files"].items()):
            segments[flat(summary["shard"])].append(summary)
    return {shard: next_row(of_shard) for shard, of_shard in segments.items()}


def _manifest_of(bucket: str, folder: str, keys: list[str]) -> list[dict[str, str] | str]:
    """Make SageMaker's ManifestFile: the folder, then each file in it."""
    return [{"prefix": lake.uri(bucket, folder)}, *(key.removeprefix(folder) for key in keys)]


def _scored(release: str | None) -> list[ScoredFiles]:
    listed = objects.listing(LAKE, lake.scored_prefix(CONTRACT.hash, release))
    return objects.read_each(LAKE, (file.key for file in listed))


def _record_run(run: str, planned: BatchItem) -> None:
    started = {"started_at": iso(datetime.now(UTC))}
    tables.update(RUNS, run_key(RunKind.BATCH, run), {"status": RunStatus.RUNNING, **planned}, once=started)
