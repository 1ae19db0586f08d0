"""Saves the estimator as an MLflow model with the signature of its rows; run once in MLflow's own environment."""

import json

import mlflow.sklearn
import pandas as pd
from model import COLUMNS, ESTIMATOR, FOLDER

rows = pd.DataFrame(json.loads((FOLDER / "rows.json").read_text()), columns=COLUMNS)
signature = mlflow.models.infer_signature(rows, ESTIMATOR.predict_proba(rows))
mlflow.sklearn.save_model(
    ESTIMATOR,
    FOLDER / "mlflow",
    signature=signature,
    pyfunc_predict_fn="predict_proba",
    serialization_format="cloudpickle",
)
