"""Items of the runs table (loads, training runs and batch runs with their settings, status and counts), and the
run.json of jobs.

Timestamps are ISO 8601 text. None is not stored, so such a key is missing when the item is read.
"""

from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from domain.train.windows import Window


class RunKind(StrEnum):
    """First part of a run's key."""

    LOAD = "load"
    TRAIN = "train"
    BATCH = "batch"
    UNLOAD = "unload"  # a load that was withdrawn
    WATCH = "watch"  # of the watch flow
    WINDOW = "window"  # that was watched, by the day it begins with; each run about it writes it again
    FORGET = "forget"  # an entity that is being forgotten; gone when it is
    EXPERIMENT = "experiment"


class RunStatus(StrEnum):
    """Status of a run."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class LoadItem(TypedDict):
    """A file in the lake; stored when it is loaded, and again as UNLOAD when it is withdrawn."""

    kind: str
    run: str  # made from the hash of the file and the contract
    status: str  # a RunStatus
    file: str  # name
    sha256: str
    contract_hash: str
    accepted: int
    quarantined: int
    reasons: dict[str, int]  # quarantined rows by rule
    first: NotRequired[str | None]  # event time
    last: NotRequired[str | None]
    loaded_at: str
    loaded_us: NotRequired[int]  # microseconds since 1970; the order in which loads count
    unloaded_at: NotRequired[str]
    in_file_twice: NotRequired[int]  # rows that repeat another row of the file
    loaded_before: NotRequired[int]  # rows that an earlier load also has
    parts: str  # JSON of a list of Part (domain/train/windows.py)
    replaces: NotRequired[list[str] | None]  # loads of the same file under an earlier contract


class TrainItem(TypedDict, total=False):
    """A training run: its window once it is selected, its verdict once it is judged."""

    kind: str
    run: str
    status: str  # a RunStatus
    started_at: str
    contract_hash: str
    code_version: str
    train_start: str
    evaluate_start: str
    as_of: str
    train_rows: int
    evaluate_rows: int
    data_hash: str  # as domain/train/data_hash.py makes it
    verdict: str  # a Verdict
    release: str
    reason: str
    model_package_arn: str
    finished_at: str


class BatchItem(TypedDict, total=False):
    """A batch run: its plan, and its counts once it is closed."""

    kind: str
    run: str
    status: str  # a RunStatus
    started_at: str
    as_of: str
    input: str  # URI
    release: str | None
    store: bool  # whether predictions are also stored in the table
    shards: int
    passed_over: int  # files that were scored earlier
    read: int
    scored: int
    quarantined: int
    written: int
    seconds: float
    reasons: dict[str, int]  # quarantined rows by rule
    reason: str  # of a failure
    finished_at: str


class WatchItem(TypedDict, total=False):
    """A run of the watch flow; the window itself is an item of its own (domain/watch/verdict.py)."""

    kind: str
    run: str
    status: str  # a RunStatus
    started_at: str
    as_of: str
    window: str
    files: int  # that were captured in it
    reason: str  # of a failure
    finished_at: str


class ExperimentItem(TypedDict):
    """An experiment: what was asked, by whom, and what came of it; written when it begins and at each decision."""

    kind: str
    run: str  # its id among rollouts
    status: str  # a RunStatus
    release: str
    champion: str
    experiment: dict[str, Any]  # a domain/release/rollout.py Experiment
    state: str  # a domain/release/rollout.py State
    why: str
    entities: int  # of both arms, at the last look
    difference: NotRequired[list[float]]  # low end, value, high end, at the last look
    started_at: str
    finished_at: NotRequired[str]


class TrainSettings(Window):
    """run.json of a training run: what its jobs need in addition to contract and configuration."""

    run: str
    imported: bool  # its only candidate was made elsewhere
    artefacts_uri: str  # folder
    loads: NotRequired[list[str]]  # of the rows, oldest first
    champion: str | None  # release
    champion_sha256: str | None
    code_version: str


class ReplaySettings(Window):
    """run.json of a release's replay; the window is its training run's, which serves where nothing is captured."""

    release: str
    release_sha256: str
    champion: str
    champion_threshold: float
    captured_by: str  # stage; empty for this one
    seconds: int  # of requests that are sent to the endpoints again
    champion_sha256: str
    source: str  # a Rows (domain/release/replay.py)
    rows: int  # at most
    loads: NotRequired[list[str]]


class BatchSettings(TypedDict):
    """run.json of a batch run, which the Score job reads; without a release the fallback answers."""

    run: str
    as_of: str
    input: str  # URI
    store: bool  # whether predictions are also stored in the table
    only_new: bool  # whether files that were scored earlier are skipped
    identities: dict[str, str]  # by shard, the name from which ids of rows are made; for other shards it is the run's
    code_version: str
    release: str | None
    model_uri: str | None
    artefact_sha256: str | None
    signature: str | None
    threshold: NotRequired[float]  # the champion's, where that is not serving.threshold


class WatchSettings(TypedDict):
    """run.json of a run of the watch flow, which the Monitor job reads; a window is half open: [start, end)."""

    run: str
    window: str
    start: str
    end: str
    as_of: str


class WatchPlan(WatchSettings):
    """Values that the next states of the watch flow use; nothing is counted where `captured_manifest` is None."""

    settings_uri: str
    captured_manifest: str | None
    files: int
    counts_uri: str
