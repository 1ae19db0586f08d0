"""S3 keys of the lake; no other module makes one."""

ROWS = "rows/"
QUARANTINE = "quarantine/"
CAPTURED = "captured/"
FEATURES = "features/"
ARTEFACTS = "artefacts/"
RUNS = "runs/"
BATCH = "batch/"
SCORED = "scored/"
WINDOWS = "windows/"
SCRATCH = "scratch/"
CHECKPOINTS = f"{SCRATCH}checkpoints/"
PACED = f"{SCRATCH}paced/"  # requests of a replay, which nobody needs after it


def rows_key(load: str, month: str, part: int) -> str:
    """Return the prefix of a load's rows; `month` is YYYY-MM of the event time, or `none` for a table without one."""
    return f"{ROWS}month={month}/{load}-{part:05d}.parquet"


def quarantine_prefix(load: str) -> str:
    return f"{QUARANTINE}load={load}/"


def quarantine_key(load: str, part: int) -> str:
    return f"{quarantine_prefix(load)}{part:05d}.parquet"


def captured_prefix(hour: str = "") -> str:
    """Return the folder of the answers made in an hour, such as 2013-04-01T08; without an hour, of all of them."""
    return f"{CAPTURED}hour={hour}/" if hour else CAPTURED


def captured_key(hour: str, first: str) -> str:
    """Return the key of a file of answers; `first` names the first record of the stream in it."""
    return f"{captured_prefix(hour)}{first}.parquet"


def unreadable_prefix() -> str:
    """Return the folder of stream records that were set aside; they may belong to any entity."""
    return f"{QUARANTINE}captured/"


def unreadable_key(record: str) -> str:
    return f"{unreadable_prefix()}{record}.json"


def run_key(run: str, name: str) -> str:
    """What a training run used and found: contract.json, config.json, train.manifest, evaluate.manifest,
    evaluation.json, curves.json, verdict.json; what a run of the watch flow used.
    """
    return f"{RUNS}{run}/{name}"


def paced_key(run: str, name: str = "paced.json") -> str:
    """Return where the requests are that a replay sends to the endpoints; gone after a day."""
    return f"{PACED}{run}/{name}"


def replay_key(run: str, name: str) -> str:
    """What the replay of a run's release read and found: settings/, rows.manifest, rows.parquet with the ids of the
    rows and both decisions, summary.json, paced.json with what the endpoints took, report.json.
    """
    return run_key(run, f"replay/{name}")


def reference_key(run: str, candidate: str) -> str:
    """What a candidate's rows and answers were in the evaluation of its run (domain/watch/reference.py)."""
    return run_key(run, f"reference/{candidate}.json")


def confidence_key(run: str, model: str) -> str:
    """What the rows of the evaluation say of how sure a candidate or the champion, by its release, is
    (domain/train/confidence.py).
    """
    return run_key(run, f"confidence/{model}.json")


def artefacts_prefix(run: str) -> str:
    return f"{ARTEFACTS}{run}/"


def checkpoints_prefix(run: str, candidate: str) -> str:
    return f"{CHECKPOINTS}{run}/{candidate}/"


def window_prefix(window: str) -> str:
    """Name the folder of what was counted in a window, such as that of 2013-04-01; it names no entity."""
    return f"{WINDOWS}window={window}/"


def window_key(window: str) -> str:
    return f"{window_prefix(window)}counts.json"


def batch_folder(run: str) -> str:
    return f"{BATCH}{run}/"


def batch_prefix(run: str, folder: str) -> str:
    """Return the prefix of a batch; `folder` is input, contract, predictions, quarantine, results or summary."""
    return f"{batch_folder(run)}{folder}/"


def is_aside(path: str) -> bool:
    """Return whether a file below a folder is not data by the convention of Spark, Hive and Athena: _SUCCESS, .a.crc,
    _delta_log/a.
    """
    return path.endswith((".crc", ".metadata")) or any(name.startswith(("_", ".")) for name in path.split("/"))


def scored_prefix(contract_hash: str, release: str | None) -> str:
    """Return the folder of the records of what batches scored with a release (None: the fallback) under a contract."""
    return f"{SCORED}{contract_hash}/{release or 'fallback'}/"


def scored_key(contract_hash: str, release: str | None, run: str) -> str:
    return f"{scored_prefix(contract_hash, release)}{run}.json"


def uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def split_uri(text: str) -> tuple[str, str]:
    """Split an s3:// URI into bucket and key. Raises ValueError."""
    bucket, slash, key = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket or not slash:
        raise ValueError(f"uri = {text!r}: must be s3://BUCKET/KEY")
    return bucket, key
