"""evaluate: every candidate and the champion on the same later rows -> evaluation.json and each candidate's golden
rows.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.config.sections import Config
from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from domain.train.coverage import Coverage, cover
from domain.train.windows import Window
from model_code import paths
from model_code.answers.answer_columns import has_answer
from model_code.answers.answering import responder
from model_code.answers.golden import prove_golden
from model_code.answers.reply import JSON, Reply
from model_code.artefact.archive import unpack
from model_code.artefact.folder import GOLDEN, Artefact, open_artefact
from model_code.fitting import metrics
from model_code.rows.features import unfed
from model_code.rows.identity import row_values
from model_code.rows.matrices import model_batch, target
from model_code.rows.window import read_window
from model_code.settings import JobRefused, read_settings

WINDOW = ("train_start", "evaluate_start", "as_of")
TIMED_REQUESTS = 200
TIMED_ROUNDS = 15
TIMED_SECONDS = 4.0
WARM_UP = 20


def main() -> None:
    contract, config, run = read_settings(paths.processing_input("contract"))
    window = {name: run[name] for name in WINDOW}
    rows = read_window(
        paths.processing_input("rows"),
        contract,
        window,
        "evaluate",
        loads=run.get("loads", ()),
        duplicates=config.data.duplicates,
    )
    output = paths.processing_output("evaluation")
    (output / "golden").mkdir(parents=True, exist_ok=True)
    actual = target(contract, rows.table)
    refuse_one_class(contract, actual)
    with tempfile.TemporaryDirectory() as scratch:
        opened = {name: (file, open_model(file, Path(scratch) / name)) for name, file in candidate_files().items()}
        evaluation = {
            "metric": config.benchmarks.metric,
            "rows": len(rows.table),
            "quarantined": rows.quarantined,
            "window": window,
            "coverage": coverage(contract, cast(Window, window), rows.table),
            "baseline": baseline(contract, actual),
            "candidates": {
                name: {
                    **measured(artefact, contract, config, rows.table, actual),
                    "size_mb": file.stat().st_size / 1e6,
                    "model_uri": model_uri(file, run),
                    "contract": contract_rules.as_dict(artefact.contract),
                    "golden": f"golden/{name}.json",
                }
                for name, (file, artefact) in opened.items()
            },
            "champion": champion(contract, config, run, rows.table, actual, Path(scratch)),
        }
        for name in opened:
            shutil.copy(Path(scratch) / name / GOLDEN, output / "golden" / f"{name}.json")
    (output / "evaluation.json").write_text(json.dumps(evaluation, indent=1, allow_nan=False))
    print(summary(evaluation))


def coverage(contract: Contract, window: Window, table: pa.Table) -> Coverage | None:
    """What the rows cover of the days they are to be judged on; None for a table without event time."""
    if contract.event_time is None:
        return None
    moments = table.column(contract.event_time.name)
    ends = pc.min_max(moments).as_py()
    days = pc.unique(pc.cast(pc.floor_temporal(moments, unit="day"), pa.timestamp("s"))).to_pylist()
    return cover(window, first=ends["min"], last=ends["max"], days={day.date() for day in days})


def candidate_files() -> dict[str, Path]:
    """{candidate: its model.tar.gz}, the first folder under input/models being the candidate's name."""
    folder = paths.processing_input("models")
    found = {file.relative_to(folder).parts[0]: file for file in sorted(folder.rglob("model.tar.gz"))}
    if not found:
        raise JobRefused(f"no candidate's model.tar.gz is under {folder}; train candidates first")
    return found


def open_model(file: Path, folder: Path, expected: str | None = None) -> Artefact:
    artefact = open_artefact(unpack(file, folder), expected=expected)
    prove_golden(artefact)
    return artefact


def model_uri(file: Path, run: dict) -> str:
    return run["artefacts_uri"].rstrip("/") + "/" + file.relative_to(paths.processing_input("models")).as_posix()


def refuse_one_class(contract: Contract, actual: np.ndarray) -> None:
    if contract.task != "regression" and len(set(actual.tolist())) < 2:
        raise JobRefused(
            f"target {contract.target.name!r} is the same in all {len(actual):,} rows of the evaluation window; "
            "nothing can be compared there, so raise data.evaluate_days or move as_of"
        )


def champion(
    contract: Contract, config: Config, run: dict, table: pa.Table, actual: np.ndarray, scratch: Path
) -> dict | None:
    """The champion on the same rows. One that this contract can no longer feed is no champion to compare with."""
    files = sorted(paths.processing_input("champion").rglob("model.tar.gz"))
    if not files:
        return None
    artefact = open_model(files[0], scratch / "champion of today", run["champion_sha256"])
    missing = unfed(artefact.contract, contract)
    if missing:
        print(f"champion {run.get('champion')} is not compared: the contract has changed {', '.join(missing)}")
        return None
    return {
        "release": run.get("champion"),
        **measured(artefact, contract, config, table, actual),
        "size_mb": files[0].stat().st_size / 1e6,
    }


# ---- one model


def measured(artefact: Artefact, contract: Contract, config: Config, table: pa.Table, actual: np.ndarray) -> dict:
    classes = artefact.manifest["classes"]
    scores, unanswered = answered(artefact, contract, table)
    return {
        "unanswered": unanswered,
        "metrics": metrics.measure(contract.task, actual, scores, classes),
        "standard_error": metrics.standard_error(contract.task, config.benchmarks.metric, actual, scores, classes),
        **metrics.chance(contract.task, actual, scores, classes),
        **decisions(contract, config, actual, scores),
        **latency(artefact, contract, table),
        "artefact_sha256": artefact.sha256,
        "format": artefact.manifest["format"],
        "rows": artefact.manifest["rows"],
    }


def answered(artefact: Artefact, contract: Contract, table: pa.Table) -> tuple[np.ndarray, int]:
    """The scores as people would get them, and how many rows got the prior because the model has no answer."""
    scores = artefact.scorer.score_batch(model_batch(artefact.contract, table), refusals=[])
    missing = ~has_answer(scores)
    scores = scores if contract.task == "multiclass" else scores[:, -1]
    prior = metrics.prior_scores(contract, len(table), artefact.manifest["classes"])
    scores[missing] = prior[missing]
    return scores, int(missing.sum())


def decisions(contract: Contract, config: Config, actual: np.ndarray, scores: np.ndarray) -> dict:
    """Of a binary task only: no other's decisions have a value in the settings."""
    return (
        {"decisions": metrics.decisions(actual, scores, config.serving.threshold)} if contract.task == "binary" else {}
    )


def latency(artefact: Artefact, contract: Contract, table: pa.Table) -> dict:
    """p50_ms and p99_ms of answering one row from its JSON bytes to the answer's, as `serve` does it, network apart.

    Of several rounds the quickest counts, as in `timeit`: what makes another slower is the machine's other work.
    """
    bodies = one_row_bodies(artefact.contract, table, checked_under=contract.hash)
    respond = responder(artefact, JSON, accept="")
    timed_round(respond, bodies[:WARM_UP])
    until = time.perf_counter() + TIMED_SECONDS
    rounds = [timed_round(respond, bodies)]
    while len(rounds) < TIMED_ROUNDS and time.perf_counter() < until:
        rounds.append(timed_round(respond, bodies))
    p50, p99 = min((np.percentile(seconds, [50, 99]) * 1000 for seconds in rounds), key=lambda found: found[1])
    return {"p50_ms": float(p50), "p99_ms": float(p99), "timed_requests": len(rounds) * len(bodies)}


def timed_round(respond: Callable[[bytes], Reply], bodies: list[bytes]) -> list[float]:
    seconds = []
    for body in bodies:
        start = time.perf_counter()
        respond(body)
        seconds.append(time.perf_counter() - start)
    return seconds


def one_row_bodies(contract: Contract, table: pa.Table, *, checked_under: str) -> list[bytes]:
    """Write rows as `predict` sends them: the features of the model's own contract, as far as the rows have them."""
    spread = np.unique(np.linspace(0, len(table) - 1, TIMED_REQUESTS).astype(int))
    some = table.take(pa.array(spread))
    there = [column for column in contract.features if column.name in table.schema.names]
    columns = {column.name: row_values(column, some) for column in there}
    rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return [json.dumps({"instances": [row], "contract": checked_under}).encode() for row in rows]


def baseline(contract: Contract, actual: np.ndarray) -> dict[str, float]:
    """What answering with the contract's prior is worth on these rows."""
    classes = sorted(set(actual.tolist())) if contract.task == "multiclass" else []
    return metrics.measure(contract.task, actual, metrics.prior_scores(contract, len(actual), classes), classes)


def summary(evaluation: dict) -> str:
    metric = evaluation["metric"]
    lines = [f"{evaluation['rows']:,} rows; {metric} of the prior {evaluation['baseline'][metric]:.4f}"]
    for name, one in evaluation["candidates"].items():
        lines.append(
            f"{name}: {metric} {one['metrics'][metric]:.4f}, p99 {one['p99_ms']:.2f} ms, {one['size_mb']:.2f} MB"
        )
    return "\n".join(lines)
