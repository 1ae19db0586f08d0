"""Batch, first state: list the input, refuse what cannot be scored before it costs, plan one shard for each file."""

import itertools
import os
from collections import defaultdict
from datetime import UTC, datetime

from domain import lake
from domain.batch.segments import flat, next_row
from domain.config import sections as config
from domain.contract import schema as contract
from domain.records import run_key
from domain.timestamps import iso, parse_timestamp
from domain.train.windows import checked_run
from lambdas.aws import objects, signatures, tables
from lambdas.aws.routes import champion_model
from lambdas.batch.input_files import file_problem
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]
MOST_FILES = 2000  # each is looked into here; more belong into larger files
MOST_NAMED = 20


class InputRefused(Exception):
    """The input cannot be scored; the message names every file that is wrong."""


def handler(event, context):
    run = checked_run(event["run"])
    return preprocess(
        run,
        place=place_of(event["input"]),
        as_of=moment_of(event["as_of"]),
        store=event.get("store", True),
        listing=objects.listing,
        read=objects.read_range,
        read_each=lambda keys: objects.read_each(LAKE, keys),
        champion=lambda: champion_model(ROUTING),
        verify=signatures.verify,
        write=lambda key, document: objects.write_json(LAKE, key, document),
        record=record_run,
    )


def preprocess(  # noqa: PLR0913 - an argument for each effect
    run: str, *, place: tuple, as_of: str, store: bool, listing, read, read_each, champion, verify, write, record
) -> dict:
    """What the Score job needs. A run that is started again keeps its release and scores what is not scored yet.
    Without `store` the predictions are Parquet only: writing each into the table costs more than scoring it.
    """
    bucket, prefix = place
    files = checked_files(bucket, prefix, listing, read)
    uri, folder = lake.uri(bucket, prefix), folder_of(prefix)
    (known,) = read_each([settings_key(run, "run.json")])
    settings = continued(known, uri) or first_settings(run, as_of, store, uri, champion())
    if settings["release"]:
        verify(settings)
    progress = progress_of(run, listing, read_each)
    left = [key for key in files if progress.get(shard_of(key, folder), 1) is not None]
    begun = {shard: row for shard, row in progress.items() if row is not None and row > 1}
    write_settings(run, settings, begun, write)
    if left:
        write(settings_key(run, "shards.manifest"), manifest_of(bucket, folder, left))
    about = {name: settings.get(name) for name in ("as_of", "release", "store")}
    record(run, {**about, "input": uri, "shards": len(files)})
    return {
        **{name: settings[name] for name in ("run", "as_of", "release", "model_uri")},
        "settings_uri": lake.uri(LAKE, lake.batch_prefix(run, "settings")),
        "shards_manifest": lake.uri(LAKE, settings_key(run, "shards.manifest")) if left else None,
        "shards": len(left),
        "instances": max(1, min(CONFIG.batch.instances, len(left))),
        "output_uri": lake.uri(LAKE, f"{lake.BATCH}{run}/"),
        "store": settings.get("store", True),
    }


def settings_key(run: str, name: str) -> str:
    return lake.batch_prefix(run, "settings") + name


def place_of(text: str) -> tuple[str, str]:
    """Bucket and key prefix of an s3:// URI, or of a path within the lake."""
    try:
        return lake.split_uri(text) if "://" in text else (LAKE, text.lstrip("/"))
    except ValueError as error:
        raise InputRefused(str(error)) from None


def moment_of(text: str) -> str:
    moment = parse_timestamp(text)
    if moment is None:
        raise InputRefused(f"as_of {text!r} is not a moment; write ISO 8601 such as 2013-04-01T00:00:00Z")
    return iso(moment)


def checked_files(bucket: str, prefix: str, listing, read) -> list[str]:
    """The keys to score, in order. Raises InputRefused naming each file that cannot be."""
    uri = lake.uri(bucket, prefix)
    found = list(itertools.islice(files_at(prefix, listing(bucket, prefix)), MOST_FILES + 1))
    if not found:
        raise InputRefused(f"{uri}: no file is there; give a file, or a folder that ends in /")
    if len(found) > MOST_FILES:
        raise InputRefused(
            f"{uri}: more than {MOST_FILES} files, the most that make a batch; join them, or score folder by folder"
        )
    problems = [f"{key}: {problem}" for key, size in found if (problem := problem_of(bucket, key, size, read))]
    problems += confused([key for key, _ in found], folder_of(prefix))
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise InputRefused("; ".join(problems[:MOST_NAMED]) + more)
    return [key for key, _ in found]


def files_at(prefix: str, listed):
    """(key, size) of the files of a folder; of a file only itself, and not what its name is the beginning of."""
    is_folder = prefix == "" or prefix.endswith("/")
    return (
        (key, size)
        for key, size in listed
        if not key.endswith("/") and (key == prefix or (is_folder and not is_aside(key.removeprefix(prefix))))
    )


def is_aside(path: str) -> bool:
    """Whether a file below the folder is not data, as Spark, Hive and Athena have it: _SUCCESS, .a.crc, _metadata/a."""
    return path.endswith(".crc") or any(name.startswith(("_", ".")) for name in path.split("/"))


def folder_of(prefix: str) -> str:
    return prefix[: prefix.rfind("/") + 1]


def confused(keys: list[str], folder: str) -> list[str]:
    """Files whose results would overwrite each other's: a/b.csv and a~b.csv."""
    by_shard = defaultdict(list)
    for key in keys:
        by_shard[shard_of(key, folder)].append(key)
    return [
        f"{' and '.join(same)}: their results would have one name, {shard}; rename one"
        for shard, same in by_shard.items()
        if len(same) > 1
    ]


def problem_of(bucket: str, key: str, size: int, read) -> str:
    return file_problem(key, size, contract=CONTRACT, read=lambda span: read(bucket, key, span))


def shard_of(key: str, folder: str) -> str:
    """A shard is called by its file's place in the input; as a file name, as the Score job writes it."""
    return flat(key.removeprefix(folder))


def continued(settings: dict | None, uri: str) -> dict | None:
    """The settings of a run that is started again: its shards are those of the input that it began with."""
    if settings and settings.get("input", uri) != uri:
        raise InputRefused(
            f"{uri}: run {settings['run']} began with {settings['input']}; start a new run for another input"
        )
    return settings


def first_settings(run: str, as_of: str, store: bool, uri: str, champion: dict | None) -> dict:
    if not isinstance(store, bool):
        raise InputRefused(f"store {store!r} is neither true nor false: whether predictions go into the table too")
    return {
        "run": run,
        "as_of": as_of,
        "input": uri,
        "store": store,
        "code_version": CODE_VERSION,
        **release_and_model(champion),
    }


def release_and_model(champion: dict | None) -> dict:
    return champion or dict.fromkeys(("release", "model_uri", "artefact_sha256", "signature"))


def progress_of(run: str, listing, read_each) -> dict[str, int | None]:
    """{shard: its first row that is not scored, None where all are} of those that an earlier job has begun. A job's
    files go up while it runs and in any order, so a segment counts once all that its summary names is there, and whole.
    """
    place = f"{lake.BATCH}{run}/"
    sizes = {key.removeprefix(place): size for key, size in listing(LAKE, place)}
    segments = defaultdict(list)
    for summary in read_each(place + name for name in sizes if name.startswith("summary/")):
        if all(sizes.get(file) == size for file, size in summary["files"].items()):
            segments[flat(summary["shard"])].append(summary)
    return {shard: next_row(found) for shard, found in segments.items()}


def manifest_of(bucket: str, folder: str, keys: list[str]) -> list:
    """SageMaker's ManifestFile: the folder, then each file in it."""
    return [{"prefix": lake.uri(bucket, folder)}, *(key.removeprefix(folder) for key in keys)]


def write_settings(run: str, settings: dict, progress: dict[str, int], write) -> None:
    write(settings_key(run, "contract.json"), contract.as_dict(CONTRACT))
    write(settings_key(run, "config.json"), config.as_dict(CONFIG))
    write(settings_key(run, "run.json"), settings)
    write(settings_key(run, "progress.json"), progress)


def record_run(run: str, more: dict) -> None:
    started = {"started_at": iso(datetime.now(UTC))}
    tables.update(RUNS, run_key("batch", run), {"status": "RUNNING", **more}, once=started)
