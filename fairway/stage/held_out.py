"""The rows that a run was judged on, from its own documents and the lake."""

from pathlib import Path
from typing import Any, NamedTuple

from domain import lake
from domain.contract.schema import Contract, from_dict
from domain.release.evaluation import Evaluation
from domain.runs import TrainSettings
from domain.train.windows import Window
from fairway.stage.aws import Stage
from fairway.stage.documents import run_document
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress


class Judged(NamedTuple):
    """What a run was judged on, from its own documents."""

    run: str
    keys: list[str]  # parts of the lake
    contract: Contract
    window: Window
    loads: list[str]
    duplicates: str
    rows: int


def judged(stage: Stage, run: str) -> Judged:
    """Read what the run was judged on. Raises Failed if the lake no longer has its documents."""
    names = ("evaluate.manifest", "evaluation.json", "settings/run.json", "settings/contract.json")
    documents: dict[str, Any] = {name: run_document(stage, run, name) for name in (*names, "settings/config.json")}
    gone = [name for name, document in documents.items() if document is None]
    if gone:
        raise Failed(
            "run_gone", f"{run}: its {', '.join(gone)} are no longer in the lake; `fairway train` judges a new run"
        )
    evaluation: Evaluation = documents["evaluation.json"]
    settings: TrainSettings = documents["settings/run.json"]
    return Judged(
        run=run,
        keys=[lake.ROWS + key for key in documents["evaluate.manifest"][1:]],
        contract=from_dict(documents["settings/contract.json"]),
        window=evaluation["window"],
        loads=settings.get("loads", []),
        duplicates=documents["settings/config.json"]["data"]["duplicates"],
        rows=evaluation["rows"],
    )


def fetch(stage: Stage, judged: Judged, folder: Path, progress: Progress) -> None:
    """Download the parts of the lake to the folder. Raises Failed if one is missing."""
    for number, key in enumerate(judged.keys, 1):
        progress.detail(f"part {number} of {len(judged.keys)}")
        _download(stage, judged.run, key, folder / key)


def _download(stage: Stage, run: str, key: str, file: Path) -> None:
    from botocore.exceptions import ClientError  # lazy: only commands that call AWS load botocore

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        stage.client("s3").download_file(stage.addresses["lake"], key, str(file))
    except ClientError as error:
        reason = f"{key} cannot be read any more ({error.response['Error']['Code']}): unloaded, deleted or archived"
        raise Failed("rows_gone", f"the rows that {run} was judged on are not all there; {reason}") from None
