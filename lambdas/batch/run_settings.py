"""Documents that plan a batch run, in its folder of settings: input, release, and progress.

A run that is started again finds them there and continues with the same release and files.
"""

from collections.abc import Callable

from domain import lake
from domain.config import sections as config
from domain.contract import schema as contract
from domain.runs import BatchSettings
from lambdas.aws.routes import ChampionModel
from lambdas.batch.input_listing import InputRefused
from lambdas.batch.scored_before import ScoredFiles, identity
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT


def settings_key(run: str, name: str) -> str:
    return lake.batch_prefix(run, "settings") + name


def continued(settings: BatchSettings, uri: str) -> BatchSettings:
    """Return the settings of a run that is started again: its shards are those of the input with which it began."""
    if settings["input"] != uri:
        raise InputRefused(
            f"{uri}: run {settings['run']} began with {settings['input']}; start a new run for another input"
        )
    return settings


def first_settings(
    run: str, as_of: str, store: bool, only_new: bool, uri: str, champion: ChampionModel | None
) -> BatchSettings:
    settings: BatchSettings = {
        "run": run,
        "as_of": as_of,
        "input": uri,
        "store": store,
        "only_new": only_new,
        "identities": {},
        "code_version": CODE_VERSION,
        "release": champion["release"] if champion else None,
        "model_uri": champion["model_uri"] if champion else None,
        "artefact_sha256": champion["artefact_sha256"] if champion else None,
        "signature": champion["signature"] if champion else None,
    }
    if champion and "threshold" in champion:
        settings["threshold"] = champion["threshold"]
    return settings


def with_identities(settings: BatchSettings, files: dict[str, str], folder: str) -> BatchSettings:
    """Give rows of a file the same ids in every run that scores it as new."""
    if not settings["only_new"]:
        return settings
    scored_with = lake.scored_prefix(CONTRACT.hash, settings["release"])
    identities = {uri.removeprefix(folder): identity(uri, etag, scored_with) for uri, etag in files.items()}
    return {**settings, "identities": identities}


def write_settings(
    settings: BatchSettings, begun: dict[str, int], files: dict[str, str], write: Callable[[str, object], None]
) -> None:
    """Write the run's files before run.json, which marks the run as begun."""
    run = settings["run"]
    key = lake.scored_key(CONTRACT.hash, settings["release"], run)
    planned: ScoredFiles = {"key": key, "run": run, "store": settings["store"], "files": files}
    write(settings_key(run, "files.json"), planned)
    write(settings_key(run, "contract.json"), contract.as_dict(CONTRACT))
    write(settings_key(run, "config.json"), config.as_dict(CONFIG))
    write(settings_key(run, "run.json"), settings)
    write(settings_key(run, "progress.json"), begun)
