"""Results of a run: evaluation.json, which `model_code/evaluate.py` writes and the gate judges."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from domain.train.coverage import Coverage
from domain.train.windows import Window


class ClassCounts(TypedDict):
    """Rows of a class: correct answers, answers of that class, and rows that really are of it."""

    right: int
    answered: int
    actual: int


class Errors(TypedDict):
    """Distance of answers from outcomes, in the target's unit; `mean` is positive if answers are too high."""

    rows: int
    mean: float
    median_absolute: float
    nine_of_ten: float


class Covered(TypedDict):
    """How well sets or intervals by the older half of the rows hold on the newer half, in the order of time."""

    agreed: float
    rows: int  # of the newer half
    share: float  # of them, whose outcome was in the set or interval
    worst: float  # the least share of `window` rows in a row
    window: int
    certain: NotRequired[float]  # share whose set has one class; not of a regression
    wrong: NotRequired[float]  # share of all answers
    wrong_if_certain: NotRequired[float]  # share of the certain ones; missing if there are none
    width: NotRequired[float | None]  # median width of the intervals of a regression; None without a limit


class Measured(TypedDict):
    """One model on the rows of an evaluation, as `model_code/evaluate.py` measured it."""

    metrics: dict[str, float]
    standard_error: float  # of the metric that benchmarks name
    p50_ms: float
    p99_ms: float
    size_mb: float
    artefact_sha256: str
    calibration_by_chance: NotRequired[float]  # exceeded by a perfectly calibrated model in 1 of 100 evaluations
    format: str  # plan, sklearn or onnx
    rows: Mapping[str, int | None]  # of its training: fitted, read, quarantined
    unanswered: int  # rows that got the prior because the model gave no answer
    timed_requests: int
    decisions: NotRequired[dict[str, int]]  # binary task: counts by domain/money/worth.py, at serving.threshold
    classes: NotRequired[dict[str, ClassCounts]]  # multiclass task: by label
    errors: NotRequired[Errors]  # regression
    covered: NotRequired[Covered]  # missing where rows are too few to be halved


class Candidate(Measured):
    model_uri: str
    contract: dict[str, Any]  # contract of the artefact, as domain/contract/schema.py writes it
    golden: str  # file beside evaluation.json
    reference: str  # file beside evaluation.json: what its rows and answers were (domain/watch/reference.py)
    confidence: str  # file beside evaluation.json: how sure it is (domain/train/confidence.py)


class Champion(Measured):
    release: str
    gain_errors: dict[str, float]  # by candidate: standard error of its gain over the champion, row by row


class Evaluation(TypedDict):
    """evaluation.json of a run: every model on the same rows."""

    metric: str
    imported: bool  # made elsewhere, so only its author knows whether it was trained on these rows
    threshold: float  # serving.threshold
    rows: int
    quarantined: int
    window: Window
    coverage: Coverage | None  # None for a table without event time, whose rows are held out at random
    baseline: dict[str, float]  # of the prior, by metric
    candidates: dict[str, Candidate]
    champion: Champion | None
