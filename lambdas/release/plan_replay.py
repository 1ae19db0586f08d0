"""Release, before the rollout: which requests of the last days are scored again, by which two models."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, TypedDict, cast

from botocore.exceptions import ClientError

from domain import lake
from domain.config import sections as config
from domain.contract import schema as contract
from domain.records import release_key
from domain.release.replay import Rows
from domain.release.routing import Routing, decides_from
from domain.release.state import ReleaseItem
from domain.runs import ReplaySettings, TrainSettings
from domain.timestamps import parse_timestamp
from lambdas.aws import objects, signatures, tables
from lambdas.aws.routes import SignedModel, read_release_model, read_routing
from lambdas.settings import CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
CAPTURED_LAKE = os.environ["CAPTURED_LAKE"]  # of another stage, where release.replay_from names one
ROUTING = os.environ["ROUTING_TABLE"]
MOST_FILES = 500  # evenly spread over the days; an hour has one for each minute and shard of the stream


class Asked(TypedDict):
    """A release whose endpoint answers, and its signed artefact."""

    release: str
    run: str
    artefact_sha256: str
    at: str  # timestamp


class Planned(TypedDict):
    """What the job reads; empty without a replay, and then `why` is the reason."""

    why: str
    settings_uri: str
    rows_manifest: str
    champion_uri: str
    output_uri: str
    paced_uri: str


class LakeMissing(Exception):
    """Report that the stage whose requests are to be replayed has no lake."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects on the routing table and the lake."""

    routing: Callable[[], Routing]
    release: Callable[[str], ReleaseItem]
    model: Callable[[str], SignedModel | None]
    verify: Callable[[Mapping[str, Any]], None]  # raises SignatureRefused
    captured: Callable[[str], Iterable[str]]  # keys from that hour on, in their order
    read: Callable[[str], Any]
    write: Callable[[str, object], None]


def handler(event: Asked, context: object) -> Planned:
    return plan_replay(
        event,
        effects=Effects(
            routing=lambda: read_routing(ROUTING),
            release=lambda name: cast(ReleaseItem, tables.get(ROUTING, release_key(name)) or {}),
            model=lambda name: read_release_model(ROUTING, name),
            verify=signatures.verify,
            captured=_captured_since,
            read=lambda key: objects.read_json(LAKE, key),
            write=lambda key, document: objects.write_json(LAKE, key, document),
        ),
    )


def plan_replay(asked: Asked, *, effects: Effects) -> Planned:
    """Write the settings of the replay's job and the list of its files. Raises SignatureRefused for a champion that
    this stage did not sign.
    """
    routing = effects.routing()
    champion = routing["champion"]
    model = effects.model(champion["release"]) if champion else None
    if why := _why_not(asked["release"], routing, model, effects.release(asked["release"])):
        return {
            "why": why,
            "settings_uri": "",
            "rows_manifest": "",
            "champion_uri": "",
            "output_uri": "",
            "paced_uri": "",
        }
    assert model is not None, "there is a champion"
    effects.verify(model)
    run = asked["run"]
    files = spread(list(takewhile(_until(asked["at"]), effects.captured(_first_hour(asked["at"])))), MOST_FILES)
    trained: TrainSettings = effects.read(lake.run_key(run, "settings/run.json"))
    settings: ReplaySettings = {
        "release": asked["release"],
        "release_sha256": asked["artefact_sha256"],
        "champion": model["release"],
        "champion_sha256": model["artefact_sha256"],
        "champion_threshold": decides_from(routing, CONFIG.serving.threshold),
        "source": Rows.CAPTURED if files else Rows.EVALUATION,
        "captured_by": CONFIG.release.replay_from,
        "seconds": CONFIG.release.replay_seconds,
        "rows": CONFIG.release.replay_rows,
        "loads": trained.get("loads", []),
        "train_start": trained["train_start"],
        "evaluate_start": trained["evaluate_start"],
        "as_of": trained["as_of"],
    }
    for name, document in (
        ("contract.json", contract.as_dict(CONTRACT)),
        ("config.json", config.as_dict(CONFIG)),
        ("run.json", settings),
    ):
        effects.write(lake.replay_key(run, f"settings/{name}"), document)
    effects.write(lake.replay_key(run, "rows.manifest"), _manifest(files))
    return {
        "why": "",
        "settings_uri": lake.uri(LAKE, lake.replay_key(run, "settings/")),
        "rows_manifest": lake.uri(
            LAKE, lake.replay_key(run, "rows.manifest") if files else lake.run_key(run, "evaluate.manifest")
        ),
        "champion_uri": model["model_uri"],
        "output_uri": lake.uri(LAKE, lake.replay_key(run, "")),
        "paced_uri": lake.uri(LAKE, lake.paced_key(run, "")),
    }


def _why_not(release: str, routing: Routing, model: SignedModel | None, item: ReleaseItem) -> str:
    """Return why a release is not replayed; empty where it is."""
    if model is None or model["release"] == release:
        return "there is nobody to be compared with"
    if any(one["release"] == release for one in routing["previous"]):
        return "it was champion before"
    if item.get("replay", {}).get("stop"):  # only `fairway promote --again` leads here
        return f"let go on by hand, in spite of its replay: {item['replay']['why']}"
    return ""


def spread(keys: list[str], most: int) -> list[str]:
    """Select so many keys at most, evenly over all."""
    step = -(-len(keys) // most) if keys else 1
    return keys[::step]


def _first_hour(at: str) -> str:
    """Name the hour, as captured files are named, with which the days of the replay begin."""
    moment = parse_timestamp(at)
    assert moment is not None, "Step Functions writes it"
    return f"{moment - timedelta(days=CONFIG.release.replay_days):%Y-%m-%dT%H}"


def _until(at: str) -> Callable[[str], bool]:
    """Whether a key is of an hour that has begun by then."""
    moment = parse_timestamp(at)
    assert moment is not None, "Step Functions writes it"
    end = lake.captured_prefix(f"{moment:%Y-%m-%dT%H}")
    return lambda key: key.startswith(end) or key < end


def _manifest(keys: list[str]) -> list[dict[str, str] | str]:
    return [{"prefix": lake.uri(CAPTURED_LAKE, lake.CAPTURED)}, *(key.removeprefix(lake.CAPTURED) for key in keys)]


def _captured_since(hour: str) -> Iterable[str]:
    """List what was captured from this hour on. Raises LakeMissing for another stage that has no lake any more."""
    try:
        yield from (
            each.key for each in objects.listing(CAPTURED_LAKE, lake.CAPTURED, after=lake.captured_prefix(hour))
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket" or not CONFIG.release.replay_from:
            raise
        raise LakeMissing(
            f"release.replay_from = {CONFIG.release.replay_from!r}: must be a stage with a lake, and {CAPTURED_LAKE} "
            "is not there; deploy that stage, then this one"
        ) from None
