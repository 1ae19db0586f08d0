"""The rows of every load of a stage, as a backtest reads them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from domain import lake
from fairway.stage import records
from fairway.stage.aws import Stage
from fairway.stage.loads import parts_of
from fairway.tables.history import Rows, rows_named
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

_DOWNLOADS = 4
_GONE = ("404", "NoSuchKey", "InvalidObjectState")


def of_lake(stage: Stage, duplicates: str) -> Rows:
    """Return the rows of every load that counts in the stage. Raises Refused without any."""
    loads = sorted(records.runs(stage, "load"), key=lambda one: one.get("loaded_us", 0))
    if not loads:
        raise Refused(
            "no_rows", "no rows are loaded yet; load a history with `fairway load FILE...`, or name its files"
        )
    keys = [part["key"] for one in loads for part in parts_of(one) if part["rows"]]

    def fetch(folder: Path, progress: Progress) -> None:
        progress("Reading the history from the lake")
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            done = pool.map(lambda key: _download(stage, key, folder / key.removeprefix(lake.ROWS)), keys)
            for number, _ in enumerate(done, 1):
                progress.detail(f"{number} of {len(keys)} parts")

    names = [one["run"] for one in loads]
    return Rows(rows_named(stage.contract, duplicates, [*names, *keys]), names, fetch)


def _download(stage: Stage, key: str, file: Path) -> None:
    from botocore.exceptions import ClientError  # lazy: only commands that call AWS load botocore

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        stage.client("s3").download_file(stage.addresses["lake"], key, str(file))
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        reason = "deleted, or archived by its age"
        raise Failed(
            "rows_gone", f"{key} cannot be read any more: {reason}; name the files of the history instead"
        ) from None
