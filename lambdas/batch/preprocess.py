"""Batch, first state: list the input, refuse what cannot be scored before it costs, plan one shard for each file."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

from domain import lake
from domain.batch.segments import Summary, flat, next_row
from domain.config import sections as config
from domain.contract import schema as contract
from domain.records import run_key
from domain.runs import BatchItem, RunKind, RunStatus
from domain.timestamps import iso, parse_timestamp
from domain.train.windows import checked_run
from lambdas.aws import objects, signatures, tables
from lambdas.aws.routes import SignedModel, champion_model
from lambdas.batch.input_listing import InputRefused, Listing, ReadRange, checked_files, folder_of, shard_of
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]


class Place(NamedTuple):
    """A file, or a folder whose prefix ends in /."""

    bucket: str
    prefix: str


class Settings(TypedDict):
    """run.json of a run, which the Score job reads; without a release the fallback answers."""

    run: str
    as_of: str
    input: str  # URI
    store: bool  # whether predictions go into the table too
    code_version: str
    release: str | None
    model_uri: str | None
    artefact_sha256: str | None
    signature: str | None


class Plan(TypedDict):
    """Values that the next states of the flow use; no manifest if nothing is left to score."""

    run: str
    as_of: str
    release: str | None
    model_uri: str | None
    settings_uri: str
    shards_manifest: str | None
    shards: int
    instances: int
    output_uri: str
    store: bool


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the input, the lake, the releases and the item of the run."""

    listing: Listing
    read: ReadRange
    read_each: Callable[[Iterable[str]], list[Any]]  # documents of the lake, None where there is none
    write: Callable[[str, object], None]  # a document into the lake
    champion: Callable[[], SignedModel | None]
    verify: Callable[[Mapping[str, Any]], None]  # raises SignatureRefused
    record: Callable[[str, BatchItem], None]


def handler(event: dict[str, Any], context: object) -> Plan:
    return preprocess(
        checked_run(event["run"]),
        place=_place_of(event["input"]),
        as_of=_timestamp_of(event["as_of"]),
        store=event.get("store", True),
        effects=Effects(
            listing=objects.listing,
            read=objects.read_range,
            read_each=lambda keys: objects.read_each(LAKE, keys),
            write=lambda key, document: objects.write_json(LAKE, key, document),
            champion=lambda: champion_model(ROUTING),
            verify=signatures.verify,
            record=_record_run,
        ),
    )


def preprocess(run: str, *, place: Place, as_of: str, store: bool, effects: Effects) -> Plan:
    """Plan the Score job. A run that is started again keeps its release and scores what is not scored yet.

    Without `store` the predictions are Parquet only: writing each into the table costs more than scoring it.
    """
    files = checked_files(*place, effects.listing, effects.read)
    uri, folder = lake.uri(*place), folder_of(place.prefix)
    (known,) = effects.read_each([_settings_key(run, "run.json")])
    settings = _continued(known, uri) if known else _first_settings(run, as_of, store, uri, effects.champion())
    if settings["release"]:
        effects.verify(settings)
    progress = _progress_of(run, effects)
    left = [key for key in files if progress.get(shard_of(key, folder), 1) is not None]
    begun = {shard: row for shard, row in progress.items() if row is not None and row > 1}
    _write_settings(run, settings, begun, effects.write)
    if left:
        effects.write(_settings_key(run, "shards.manifest"), _manifest_of(place.bucket, folder, left))
    effects.record(run, _planned(settings, uri, len(files)))
    return _plan(settings, shards=len(left))


def _planned(settings: Settings, uri: str, shards: int) -> BatchItem:
    return {
        "as_of": settings["as_of"],
        "release": settings["release"],
        "store": settings["store"],
        "input": uri,
        "shards": shards,
    }


def _plan(settings: Settings, *, shards: int) -> Plan:
    run = settings["run"]
    return {
        "run": run,
        "as_of": settings["as_of"],
        "release": settings["release"],
        "model_uri": settings["model_uri"],
        "settings_uri": lake.uri(LAKE, lake.batch_prefix(run, "settings")),
        "shards_manifest": lake.uri(LAKE, _settings_key(run, "shards.manifest")) if shards else None,
        "shards": shards,
        "instances": max(1, min(CONFIG.batch.instances, shards)),
        "output_uri": lake.uri(LAKE, lake.batch_folder(run)),
        "store": settings["store"],
    }


def _settings_key(run: str, name: str) -> str:
    return lake.batch_prefix(run, "settings") + name


def _place_of(text: str) -> Place:
    """Read an s3:// URI, or a path within the lake. Raises InputRefused."""
    try:
        return Place(*(lake.split_uri(text) if "://" in text else (LAKE, text.lstrip("/"))))
    except ValueError as error:
        raise InputRefused(str(error)) from None


def _timestamp_of(text: str) -> str:
    timestamp = parse_timestamp(text)
    if timestamp is None:
        raise InputRefused(f"as_of = {text!r}: must be an ISO 8601 date or time such as 2013-04-01T00:00:00Z")
    return iso(timestamp)


def _continued(settings: Settings, uri: str) -> Settings:
    """Keep the settings of a run that is started again: its shards are those of the input that it began with."""
    if settings["input"] != uri:
        raise InputRefused(
            f"{uri}: run {settings['run']} began with {settings['input']}; start a new run for another input"
        )
    return settings


def _first_settings(run: str, as_of: str, store: bool, uri: str, champion: SignedModel | None) -> Settings:
    if not isinstance(store, bool):
        raise InputRefused(f"store = {store!r}: must be true or false, whether predictions go into the table too")
    return {
        "run": run,
        "as_of": as_of,
        "input": uri,
        "store": store,
        "code_version": CODE_VERSION,
        "release": champion["release"] if champion else None,
        "model_uri": champion["model_uri"] if champion else None,
        "artefact_sha256": champion["artefact_sha256"] if champion else None,
        "signature": champion["signature"] if champion else None,
    }


def _progress_of(run: str, effects: Effects) -> dict[str, int | None]:
    """Find the first row that is not scored, or None where all are, of each shard that an earlier job has begun.

    A job's files go up while it runs and in any order, so a segment counts once every file that its summary names is
    there, and whole.
    """
    place = lake.batch_folder(run)
    sizes = {key.removeprefix(place): size for key, size in effects.listing(LAKE, place)}
    segments: dict[str, list[Summary]] = defaultdict(list)
    for summary in effects.read_each(place + name for name in sizes if name.startswith("summary/")):
        if all(sizes.get(file) == size for file, size in summary["files"].items()):
            segments[flat(summary["shard"])].append(summary)
    return {shard: next_row(of_shard) for shard, of_shard in segments.items()}


def _manifest_of(bucket: str, folder: str, keys: list[str]) -> list[dict[str, str] | str]:
    """Make SageMaker's ManifestFile: the folder, then each file in it."""
    return [{"prefix": lake.uri(bucket, folder)}, *(key.removeprefix(folder) for key in keys)]


def _write_settings(run: str, settings: Settings, begun: dict[str, int], write: Callable[[str, object], None]) -> None:
    write(_settings_key(run, "contract.json"), contract.as_dict(CONTRACT))
    write(_settings_key(run, "config.json"), config.as_dict(CONFIG))
    write(_settings_key(run, "run.json"), settings)
    write(_settings_key(run, "progress.json"), begun)


def _record_run(run: str, planned: BatchItem) -> None:
    started = {"started_at": iso(datetime.now(UTC))}
    tables.update(RUNS, run_key(RunKind.BATCH, run), {"status": RunStatus.RUNNING, **planned}, once=started)
