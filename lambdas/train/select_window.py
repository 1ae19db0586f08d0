"""Train, first state: which rows to learn from and to judge on, and everything the jobs of the run need to know."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from domain import lake
from domain.config import sections as config
from domain.contract import schema as contract
from domain.money import spending
from domain.records import GUARD, routing_item, run_key
from domain.timestamps import iso
from domain.train.windows import checked_run, overlapping, training_window
from lambdas.aws import objects, signatures, tables
from lambdas.aws.routes import champion_model
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]
PREFIX = os.environ["ENDPOINT_PREFIX"]
LONGEST_JOB_NAME = 63


class NoRows(Exception):
    """A window without a row: there is nothing to learn from, or nothing to judge on."""


class BudgetSpent(Exception):
    """The guard stopped new training runs; the message says how to let them go on."""


def handler(event, context):
    refuse_when_spent(tables.get(ROUTING, routing_item(GUARD)), now=iso(datetime.now(UTC)))
    return select_window(
        event,
        parts=read_parts(),
        champion=champion_model(ROUTING),
        verify=signatures.verify,
        write=lambda key, document: objects.write_json(LAKE, key, document),
        record=record_run,
    )


def refuse_when_spent(done: dict | None, *, now: str) -> None:
    """Money is spent by the clock on the wall, whatever moment the run is about."""
    refused = spending.refusal(done, now=now)
    if refused:
        raise BudgetSpent(refused)


def select_window(event: dict, *, parts: Iterable[dict], champion: dict | None, verify, write, record) -> dict:
    """What the next states of the run need; its settings and manifests are written for its jobs to read."""
    run = checked_run(event["run"])
    if champion:
        verify(champion)
    window = training_window(
        as_of=event["as_of"],
        window_days=event.get("window_days") or CONFIG.data.window_days,
        evaluate_days=event.get("evaluate_days") or CONFIG.data.evaluate_days,
    )
    imported = event.get(
        "imported", False
    )  # its one candidate is there already: nothing is learnt, all else is the same
    names = () if imported else CONFIG.training.candidates
    there = {"rows": 0, "first": None, "last": None}
    within = overlapping(tallied(parts, there), window["train_start"], window["as_of"])
    train = [] if imported else rows_between(within, window["train_start"], window["evaluate_start"], "train on", there)
    evaluate = rows_between(within, window["evaluate_start"], window["as_of"], "evaluate on", there)
    artefacts_uri = lake.uri(LAKE, lake.artefacts_prefix(run))
    write_settings(
        run, {**window, "artefacts_uri": artefacts_uri, "loads": loads_of([*train, *evaluate])}, champion, write
    )
    write(lake.run_key(run, "train.manifest"), manifest(train))
    write(lake.run_key(run, "evaluate.manifest"), manifest(evaluate))
    counts = {"train_rows": count(train), "evaluate_rows": count(evaluate)}
    record(run, {**window, **counts})
    return {
        "run": run,
        **window,
        **counts,
        "settings_uri": lake.uri(LAKE, lake.run_key(run, "settings/")),
        "train_manifest": lake.uri(LAKE, lake.run_key(run, "train.manifest")),
        "evaluate_manifest": lake.uri(LAKE, lake.run_key(run, "evaluate.manifest")),
        "artefacts_uri": artefacts_uri,
        "candidates": [candidate(name, run, window, artefacts_uri) for name in names],
        "champion": champion and {name: champion[name] for name in ("release", "model_uri")},
    }


def loads_of(parts: list[dict]) -> list[str]:
    """The loads of the parts, oldest first: of two rows that are one, the one that was loaded last counts."""
    return [load for _, load in sorted({(part["loaded"], part["load"]) for part in parts})]


def tallied(parts: Iterable[dict], there: dict) -> Iterator[dict]:
    """The parts, counted as they pass: years of loads need not fit into memory, what lies in the window does."""
    for part in parts:
        there["rows"] += part["rows"]
        if part["first"] is not None:
            there["first"] = min(there["first"] or part["first"], part["first"])
            there["last"] = max(there["last"] or part["last"], part["last"])
        yield part


def rows_between(parts: list[dict], start: str, end: str, purpose: str, there: dict) -> list[dict]:
    """The parts with rows in the window, which may hold rows beside it too; the jobs take only those within."""
    found = sorted(overlapping(parts, start, end), key=lambda part: part["key"])
    if not count(found):
        raise NoRows(f"no rows to {purpose} from {start} to {end}; {what_there_is(there)}")
    return found


def what_there_is(there: dict) -> str:
    if not there["rows"]:
        return "the lake is empty: `fairway load FILE` brings rows in"
    return (
        f"the lake has {there['rows']:,} rows from {there['first']} to {there['last']}: load more, "
        "or choose another --as-of"
    )


def count(parts: list[dict]) -> int:
    return sum(part["rows"] for part in parts)


def manifest(parts: list[dict]) -> list:
    """SageMaker's ManifestFile: where the keys start, then the rest of each key. AWS documents no bare bucket there."""
    return [{"prefix": lake.uri(LAKE, lake.ROWS)}, *(part["key"].removeprefix(lake.ROWS) for part in parts)]


def write_settings(run: str, more: dict, champion: dict | None, write) -> None:
    known = {"champion": champion and champion["release"], "champion_sha256": champion and champion["artefact_sha256"]}
    about = {"run": run, **more, **known, "code_version": CODE_VERSION}
    write(lake.run_key(run, "settings/contract.json"), contract.as_dict(CONTRACT))
    write(lake.run_key(run, "settings/config.json"), config.as_dict(CONFIG))
    write(lake.run_key(run, "settings/run.json"), about)


def candidate(name: str, run: str, window: dict, artefacts_uri: str) -> dict:
    parameters = CONFIG.training.parameters.get(name, {})
    return {
        "name": name,
        "job": job_name(run, name),
        "hyperparameters": {
            "candidate": name,
            **window,
            "seed": str(CONFIG.training.seed),
            "parameters": json.dumps(parameters, sort_keys=True),
        },
        "output_uri": artefacts_uri + name,
        "checkpoint_uri": lake.uri(LAKE, lake.checkpoints_prefix(run, name)),
    }


def job_name(run: str, candidate: str) -> str:
    """Starts with the stage's prefix, which its roles are confined to; ends in a hash where it would be too long."""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", f"{PREFIX}{run}-{candidate}").strip("-")
    if len(name) <= LONGEST_JOB_NAME:
        return name
    return f"{name[: LONGEST_JOB_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


# ---- the effects


def read_parts() -> Iterator[dict]:
    """The parts of every load, with its name and when it was loaded; a file that no load names was never loaded."""
    loads = tables.query_all(
        RUNS,
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "load"}},
        ConsistentRead=True,
    )
    return (
        {**part, "load": load["run"], "loaded": load.get("loaded_us", 0)}
        for load in loads
        for part in json.loads(load["parts"])
    )


def record_run(run: str, more: dict) -> None:
    """The clock is read for the record only: nothing that is computed depends on it."""
    running = {"status": "RUNNING", "contract_hash": CONTRACT.hash, "code_version": CODE_VERSION, **more}
    tables.update(RUNS, run_key("train", run), running, once={"started_at": iso(datetime.now(UTC))})
