"""What users write instead: `python peer.py MODEL ROWS PREDICTIONS`, pandas and predict_proba from Parquet to
Parquet.
"""

import sys

import joblib
import pandas as pd

THRESHOLD = 0.5


def main(model: str, rows: str, predictions: str) -> None:
    frame = pd.read_parquet(rows)
    pipeline = joblib.load(model)
    probability = pipeline.predict_proba(frame[pipeline.estimator.estimator.feature_names_in_])[:, 1]
    answers = frame[["flight_id", "departure"]].assign(prediction=probability >= THRESHOLD, probability=probability)
    answers.to_parquet(predictions, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
