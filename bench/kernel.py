"""`python -m bench.kernel`: what one core scores, the kernel against scikit-learn's predict_proba, in one interleaved
run.

Prints a line per model and, last, one line of ratios. Answers are compared before anything is timed.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from model_code.engines.scorer import load_scorer
from model_code.plan import compile_plan

NUMBERS, CATEGORIES = list(range(12)), list(range(12, 20))
COLUMNS = [{"name": f"c{i:02}", "kind": "number" if i in NUMBERS else "category"} for i in range(20)]


def table(rows, seed):
    """20 mixed columns, 5 % missing; a target that depends on some of them."""
    random = np.random.default_rng(seed)
    matrix = np.empty((rows, 20), dtype=object)
    matrix[:, NUMBERS] = np.where(random.random((rows, 12)) < 0.05, np.nan, random.normal(0, 100, (rows, 12)))
    matrix[:, CATEGORIES] = np.array([f"level {i}" for i in range(12)], object)[random.integers(0, 12, (rows, 8))]
    matrix[random.random(rows) < 0.05, CATEGORIES[0]] = None
    score = (
        np.nan_to_num(matrix[:, :3].astype(float)).sum(axis=1) / 100
        + (matrix[:, 12] == "level 3")
        + random.normal(0, 1, rows)
    )
    return matrix, score > 0


def models():
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    passed_on = ColumnTransformer([("n", "passthrough", NUMBERS), ("c", ordinal, CATEGORIES)])
    one_hot = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("c", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        ]
    )
    boosting = {"max_iter": 100, "random_state": 0, "early_stopping": False}
    return {
        "boosting, native categories": make_pipeline(
            passed_on, HistGradientBoostingClassifier(categorical_features=CATEGORIES, **boosting)
        ),
        "boosting, ordinal": make_pipeline(passed_on, HistGradientBoostingClassifier(**boosting)),
        "forest": make_pipeline(passed_on, RandomForestClassifier(100, random_state=0)),
        "logistic": make_pipeline(one_hot, LogisticRegression(max_iter=300)),
    }


def seconds(work, least=0.2):
    """Processor seconds of one call, from enough calls to fill `least` seconds: other processes on the machine do not
    count.
    """
    calls, started = 0, time.process_time()
    while (spent := time.process_time() - started) < least:
        work()
        calls += 1
    return spent / calls


def measured(pipeline, matrix, *, rounds):
    """{what: median of the interleaved rounds}: seconds of a batch and of one row for scikit-learn and the kernel."""
    started = time.process_time()
    data = compile_plan(pipeline, COLUMNS)
    compiled = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.bin").write_bytes(data)
        joblib.dump(pipeline, Path(folder) / "model.joblib")
        scorer = load_scorer(folder, engine="kernel")
    names = [column["name"] for column in COLUMNS]
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(matrix[:, j].tolist(), from_pandas=True) for j, name in enumerate(names)}
    )
    row = {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in zip(names, matrix[0], strict=True)
    }
    body = json.dumps({"instances": [row]}).encode()
    np.testing.assert_allclose(scorer.score_batch(batch), pipeline.predict_proba(matrix), rtol=1e-9)
    works = {
        "scikit-learn batch": lambda: pipeline.predict_proba(matrix),
        "kernel batch": lambda: scorer.score_batch(batch),
        "scikit-learn row": lambda: pipeline.predict_proba(matrix[:1]),
        "kernel row": lambda: scorer.score_json(body),
    }
    spent = {what: [] for what in works}
    for _ in range(rounds):
        for what, work in works.items():
            spent[what].append(seconds(work))
    return {what: statistics.median(times) for what, times in spent.items()} | {"compile": compiled}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    matrix, target = table(20_000, seed=0)
    fresh, _ = table(arguments.rows, seed=1)
    ratios = []
    with threadpool_limits(1):
        for name, pipeline in models().items():
            figures = measured(pipeline.fit(matrix, target), fresh, rounds=arguments.rounds)
            rate = {engine: arguments.rows / figures[f"{engine} batch"] for engine in ("scikit-learn", "kernel")}
            print(
                f"{name}: compiled in {figures['compile']:.2f} s; batch {rate['kernel'] / 1e6:.2f} M "
                f"rows/s, scikit-learn {rate['scikit-learn'] / 1e6:.3f};"
                f" one JSON row {figures['kernel row'] * 1e6:.1f} us, scikit-learn from an array "
                f"{figures['scikit-learn row'] * 1e6:,.0f}"
            )
            batch, row = rate["kernel"] / rate["scikit-learn"], figures["scikit-learn row"] / figures["kernel row"]
            ratios.append(f"{name} batch {batch:.0f}x row {row:,.0f}x")
    print("kernel / scikit-learn: " + "; ".join(ratios))


if __name__ == "__main__":
    main()
