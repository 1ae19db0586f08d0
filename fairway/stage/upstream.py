"""What changes of its source would do to the champion: its artefact, opened here, on rows of the lake."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from domain import lake
from domain.release.state import ReleaseItem
from fairway.stage.aws import Stage
from fairway.stage.held_out import Judged
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

if TYPE_CHECKING:  # Arrow and numpy, which help must not load
    from model_code.artefact.folder import Artefact
    from model_code.upstream.cost import Cost, Replay, Scenario

DATA_ONLY = ("plan", "onnx")  # formats that run no code when they are opened
LARGEST_BYTES = 1 << 30  # of an artefact, unpacked


class Effect(NamedTuple):
    """Effect of a change: shares of all rows, and the change of a row's sums."""

    columns: list[str]
    scenario: str
    rows: int
    refused: float
    flipped: float
    change: dict[str, float]  # `right`, `value_usd` or `error` of a row: after less before
    noticed_by: str


def effects(
    stage: Stage,
    champion: ReleaseItem,
    rows: Judged,
    names: list[str],
    *,
    threshold: float,
    folder: Path,
    most: int,
    progress: Progress,
) -> list[Effect]:
    """Answer at most so many rows under each change of the columns, alone and, if a source has several, together.

    `folder` holds the rows' parts below `rows`. Raises Refused for a model that cannot be opened here, and Failed.
    """
    from model_code.rows.held_out import held_out_blocks  # lazy: Arrow, which help must not cost
    from model_code.upstream.cost import Replay  # lazy: as above

    replay = Replay(
        _opened(stage, champion, folder / "artefact"),
        rows.contract,
        _scenarios(names),
        business=stage.config.business,
        threshold=threshold,
    )
    for block in held_out_blocks(
        folder / "rows", rows.contract, rows.window, loads=rows.loads, duplicates=rows.duplicates
    ):
        if len(block):
            replay.add(block.slice(0, most - replay.rows))
        progress.detail(f"{replay.rows:,} rows")
        if replay.rows >= most:
            break
    return [_effect(replay, cost) for cost in replay.costs if cost.rows]


def _scenarios(names: list[str]) -> "list[Scenario]":
    from model_code.upstream.changes import CHANGES  # lazy: Arrow, which help must not cost
    from model_code.upstream.cost import Scenario  # lazy: as above

    several = [Scenario(tuple(names), change) for change in CHANGES if change.together and len(names) > 1]
    return several + [Scenario((name,), change) for name in names for change in CHANGES]


def _effect(replay: "Replay", cost: "Cost") -> Effect:
    moved = {name: cost.per_row(name) for name in cost.before}
    shares = (cost.refused / cost.rows, cost.flipped / cost.rows)
    columns, change = list(cost.scenario.columns), cost.scenario.change.name
    return Effect(columns, change, cost.rows, *shares, moved, replay.noticed_by(cost))


def _opened(stage: Stage, champion: ReleaseItem, folder: Path) -> "Artefact":
    """Open the artefact that has the release's hash. A pickle is not opened, as it could run any code here."""
    from model_code.artefact.archive import unpack  # lazy: joblib and numpy behind it
    from model_code.artefact.folder import ArtefactRefused, open_artefact  # lazy: as above

    packed = folder.with_suffix(".tar.gz")
    bucket, key = lake.split_uri(champion["model_uri"])
    stage.client("s3").download_file(bucket, key, str(packed))
    try:
        _refuse_pickle(champion, unpack(packed, folder, most_bytes=LARGEST_BYTES))
        return open_artefact(folder, expected=champion["artefact_sha256"])
    except ArtefactRefused as error:
        raise Failed("artefact", f"{champion['release']}: {error}; `fairway train` makes another release") from None


def _refuse_pickle(champion: ReleaseItem, folder: Path) -> None:
    """Refuse pickles by the format in the signed manifest, before anything is loaded."""
    from model_code.artefact.folder import MANIFEST, ArtefactRefused, sha256  # lazy: as above

    manifest = folder / MANIFEST
    if not manifest.is_file() or sha256(manifest) != champion["artefact_sha256"]:
        raise ArtefactRefused(f"its {MANIFEST} is not the one that was signed")
    form = json.loads(manifest.read_bytes())["format"]
    if form not in DATA_ONLY:
        allowed = " or ".join(DATA_ONLY)
        raise Refused("format", f"{champion['release']}: format = {form}: must be {allowed} to be answered with here")
