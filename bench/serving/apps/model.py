"""What every peer serves: scikit-learn's estimator on a data frame made of the request's rows."""

import os
from pathlib import Path

import joblib
import pandas as pd

FOLDER = Path(os.environ["BENCH_MODEL"])
ESTIMATOR = joblib.load(FOLDER / "model.joblib")
COLUMNS = list(ESTIMATOR.estimator.estimator.feature_names_in_)


def score(instances):
    return ESTIMATOR.predict_proba(pd.DataFrame(instances, columns=COLUMNS))[:, 1].tolist()
