"""score after a stop, a kill or elsewhere: complete segments stay, the others are done again and the same."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from model_code.rows.read_csv import BLOCK_BYTES
from model_code.score import SEGMENT_BLOCKS
from tests.model_code.folders import scoring_folder, write_json
from tests.model_code.scored import outputs, predictions, results, summaries, write_csv

ROOT = Path(__file__).resolve().parents[2]


IMAGE_PYTHON = ROOT / ".venv-image" / "bin" / "python"


def test_a_segment_without_a_summary_is_done_again_and_the_same(parcels, run_verb, tmp_path):
    base = scoring_folder(tmp_path, parcels.contract, parcels.models["gradient_boosting"])
    for shard in ("a.csv", "b.csv"):
        write_csv(base / f"processing/input/rows/{shard}", parcels.contract, parcels.rows[:250])
    assert run_verb("score", base) == 0
    whole = outputs(base)
    done = base / "processing/output/summary/b.csv-000000000001.json"
    before = done.stat().st_mtime_ns
    (base / "processing/output/summary/a.csv-000000000001.json").unlink()
    (base / "processing/output/predictions/a.csv-000000000001.parquet").write_bytes(b"half")
    (base / "processing/unfinished/a.csv-000000000001/results").mkdir(parents=True)
    (base / "processing/unfinished/a.csv-000000000001/results/a.csv-000000000999.jsonl.gz").write_bytes(
        b"of a killed job"
    )
    assert run_verb("score", base) == 0
    assert outputs(base) == whole
    assert done.stat().st_mtime_ns == before


@pytest.fixture
def long_shard(returns, tmp_path):
    """(folder, its rows): one CSV of some dozen blocks and three segments."""
    base = scoring_folder(tmp_path, returns.contract, returns.models["gradient_boosting"])
    rows = [{**row, "note": "x" * 900} for row in returns.rows] * 110
    write_csv(base / "processing/input/rows/part.csv", returns.contract, rows)
    assert (base / "processing/input/rows/part.csv").stat().st_size > 2 * SEGMENT_BLOCKS * BLOCK_BYTES
    return base, rows


def started(base):
    environment = {"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.Popen(
        [IMAGE_PYTHON, "-m", "model_code", "score"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )


def scored_once(base, rows):
    """Every row has one answer, in order, whichever job gave it."""
    assert sum(summary["scored"] for summary in summaries(base)["part.csv"]) == len(rows)
    assert predictions(base, "part.csv")["row_number"].to_pylist() == list(range(1, len(rows) + 1))
    ids = [line["id"] for line in results(base, "part.csv")]
    assert len(ids) == len(set(ids)) == len(rows)


def test_a_job_that_is_told_to_stop_keeps_what_it_has_scored_and_the_next_goes_on_behind_it(long_shard, run_verb):
    base, rows = long_shard
    job = started(base)
    wait_until(lambda: list((base / "processing").glob("unfinished/part.csv-000000000001/results/*")))
    job.send_signal(signal.SIGTERM)
    assert job.wait(10) == 143
    (kept,) = summaries(base)["part.csv"]
    assert (kept["first_row"], kept["last"]) == (1, False)
    assert 0 < kept["scored"] == kept["next_row"] - 1 == len(results(base, "part.csv")) < len(rows)
    before = outputs(base)

    assert run_verb("score", base) == 0
    assert summaries(base)["part.csv"][1]["first_row"] == kept["next_row"]
    assert before.items() <= outputs(base).items()
    scored_once(base, rows)


def test_a_killed_job_loses_only_the_segment_under_way(long_shard, run_verb):
    base, rows = long_shard
    job = started(base)
    wait_until(lambda: list((base / "processing/output/summary").glob("*")))
    job.kill()
    job.wait(10)
    wait_until(lambda: not processes_of(base))
    before = outputs(base)
    assert run_verb("score", base) == 0
    assert before.items() <= outputs(base).items()
    assert all(summary["read"] for summary in summaries(base)["part.csv"])
    scored_once(base, rows)


def test_a_job_goes_on_where_one_elsewhere_was_stopped(parcels, run_verb, tmp_path):
    """The next job has a disk of its own: what was scored is in the lake, and it is told up to where."""
    whole = scoring_folder(tmp_path / "whole", parcels.contract, parcels.models["gradient_boosting"])
    write_csv(whole / "processing/input/rows/part.csv", parcels.contract, parcels.rows[:250])
    assert run_verb("score", whole) == 0
    base = scoring_folder(tmp_path / "next", parcels.contract, parcels.models["gradient_boosting"])
    write_csv(base / "processing/input/rows/part.csv", parcels.contract, parcels.rows[:250])
    write_json(base / "processing/input/contract/progress.json", {"part.csv": 201})
    assert run_verb("score", base) == 0
    assert results(base, "part.csv") == results(whole, "part.csv")[200:]
    (summary,) = summaries(base)["part.csv"]
    assert (summary["first_row"], summary["next_row"], summary["read"], summary["last"]) == (201, 251, 50, True)


def wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def processes_of(base):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process] if str(base).encode() in (process / "environ").read_bytes() else []
        except OSError:  # gone meanwhile
            continue
    return found
