"""Two training runs as a stage's tables and lake hold them."""

import json

import numpy as np

from domain.config.sections import as_dict, read_config
from model_code.fitting.curves import curve
from tests.fairway.conftest import Place

APRIL, MAY = "train-20130401-20261128T100000Z", "train-20130501-20261128T110000Z"
FIRST, SECOND = "r-20130401-aaaaaaaa", "r-20130501-bbbbbbbb"
WINDOWS = {
    APRIL: {
        "train_start": "2013-01-01T00:00:00Z",
        "evaluate_start": "2013-03-04T00:00:00Z",
        "as_of": "2013-04-01T00:00:00Z",
    },
    MAY: {
        "train_start": "2013-01-31T00:00:00Z",
        "evaluate_start": "2013-04-03T00:00:00Z",
        "as_of": "2013-05-01T00:00:00Z",
    },
}
STARTED = {APRIL: "2026-11-28T10:00:00Z", MAY: "2026-11-28T11:00:00Z"}
ENDED = {APRIL: "2026-11-28T10:01:30Z", MAY: "2026-11-28T11:05:00Z"}
COVERAGE = {"first": "2013-03-04", "last": "2013-03-31", "age_days": 0.1, "days": 28, "missing": []}


def put_runs(place: Place) -> None:
    """A run whose release is champion, and a later one that was rejected against it."""
    put_run(place, APRIL, FIRST, verdict="approved", reason="good <enough>", auc=(0.7191, 0.7312))
    put_run(place, MAY, SECOND, verdict="rejected", reason="no better than the champion", auc=(0.6903, 0.7005))
    put_champion(place)


def put_run(place: Place, run: str, release: str, *, verdict: str, reason: str, auc: tuple[float, float]) -> None:
    place.put(
        "runs",
        kind="train",
        run=run,
        status="SUCCEEDED",
        started_at=STARTED[run],
        finished_at=ENDED[run],
        contract_hash="0123456789abcdef",
        code_version="image-1",
        train_rows=77_809,  # of whole parts, as the record has it
        evaluate_rows=27_800,
        data_hash=f"{'a' if run == APRIL else 'b'}" * 16,
        verdict=verdict,
        release=release,
        reason=reason,
        **WINDOWS[run],
    )
    current = "champion" if run == APRIL else "rejected"
    place.put(
        "routing", item=f"release#{release}", release=release, state=current, run=run, metrics={"roc_auc": auc[0]}
    )
    logistic = {"parameters": {"logistic_regression": {"C": 0.5}}} if run == MAY else {}
    settings = as_dict(read_config(place.folder))
    settings["training"] |= logistic
    measured = {"logistic_regression": model(auc[0]), "gradient_boosting": model(auc[1])}
    champion = {"release": FIRST, "gain_errors": {}, **model(0.6999)} if run == MAY else None
    documents = {
        "evaluation.json": {
            "metric": "roc_auc",
            "rows": 25_363,
            "quarantined": 0,
            "window": WINDOWS[run],
            "coverage": COVERAGE,
            "baseline": {"roc_auc": 0.5},
            "candidates": measured,
            "champion": champion,
        },
        "verdict.json": {
            "candidate": "logistic_regression",
            "tried": {"logistic_regression": [], "gradient_boosting": ["p99 30 ms, at most 25 ms was agreed"]},
        },
        "curves.json": {
            "candidates": {name: curve_of(number) for number, name in enumerate(measured)},
            "champion": curve_of(3) if champion else None,
        },
        "settings/config.json": settings,
    }
    for name, document in documents.items():
        put_document(place, run, name, document)


def put_document(place: Place, run: str, name: str, document: object) -> None:
    place.aws("s3").put_object(Bucket="lake", Key=f"runs/{run}/{name}", Body=json.dumps(document))


def copy_run(place: Place, run: str, name: str) -> None:
    """Another run on the same rows, which left no curves."""
    dynamodb, table = place.aws("dynamodb"), "flights-local-runs"
    item = dynamodb.get_item(TableName=table, Key={"kind": {"S": "train"}, "run": {"S": run}})["Item"]
    dynamodb.put_item(TableName=table, Item={**item, "run": {"S": name}})
    for document in ("evaluation.json", "verdict.json", "settings/config.json"):
        source = {"Bucket": "lake", "Key": f"runs/{run}/{document}"}
        place.aws("s3").copy_object(Bucket="lake", Key=f"runs/{name}/{document}", CopySource=source)


def put_champion(place: Place) -> None:
    since = "2026-11-28T10:02:00Z"
    champion = {"release": FIRST, "endpoint": "e", "since": since}
    routing = {"version": 1, "champion": champion, "claims": [], "previous": [], "changed_at": since, "reason": "good"}
    place.put("routing", item="routing", **routing)


def model(auc: float) -> dict:
    return {
        "metrics": {"roc_auc": auc, "calibration_error": 0.0171},
        "standard_error": 0.0039,
        "p99_ms": 0.4,
        "size_mb": 1.5,
        "artefact_sha256": "a" * 64,
        "rows": {"fitted": 50_000, "read": 52_548, "quarantined": 0},
    }


def curve_of(seed: int):
    random = np.random.default_rng(seed)
    scores = random.random(5_000)
    return curve("binary", (random.random(5_000) < scores).astype(int), scores, [0, 1])
