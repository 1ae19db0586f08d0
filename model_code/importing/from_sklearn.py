"""scikit-learn pipelines from joblib, pickle and skops files -> a plan, or themselves if no plan can express them."""

import re
import warnings
from importlib.metadata import version
from typing import Any
from zipfile import is_zipfile

import joblib
import numpy as np
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.model_selection._search import BaseSearchCV

from model_code.artefact.folder import write_model
from model_code.importing.formats import SKOPS, ImportRefused
from model_code.importing.request import Conversion
from model_code.importing.scan import is_harmless
from model_code.plan.compile import fitted_order
from model_code.plan.engines import PipelineEngine
from model_code.refusals import PlanRefused
from model_code.rows.features import model_columns
from model_code.rows.matrices import model_batch


def convert(conversion: Conversion) -> tuple[np.ndarray, dict[str, str]]:
    pipeline = _best(conversion, _opened(conversion))
    _refuse_what_cannot_answer(conversion, pipeline)
    scores = _own_answers(conversion, pipeline)
    write_model(conversion.folder, pipeline, conversion.contract)
    return scores, {"scikit-learn": version("scikit-learn")}


def _opened(conversion: Conversion) -> Any:
    """Open the fitted estimator; refuse another minor version of scikit-learn, whose answers may differ."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        pipeline = _skops(conversion) if conversion.format == SKOPS else joblib.load(conversion.file)
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            _refuse_other_version(warning.message.original_sklearn_version)
    return pipeline


def _best(conversion: Conversion, estimator: Any) -> Any:
    """Return a search's best estimator: that is what it answers with, and a plan may express it."""
    if not isinstance(estimator, BaseSearchCV):
        return estimator
    if not hasattr(estimator, "best_estimator_"):
        name = type(estimator).__name__
        raise ImportRefused(f"{conversion.file.name}: {name} must have a best_estimator_; fit it with refit")
    return estimator.best_estimator_


def _refuse_other_version(made_with: str) -> None:
    here = version("scikit-learn")
    if _minor(made_with) != _minor(here):
        raise ImportRefused(
            f"the model was made with scikit-learn {made_with}: must be {here}, as versions may answer differently; "
            "fit it again with this version, or export it to ONNX where it was made"
        )


def _minor(release: str) -> list[str]:
    return re.split(r"[.]", release)[:2]


def _skops(conversion: Conversion) -> Any:
    """Open a file of skops; the types that it names are held to the same list as the names in a pickle."""
    from skops import io  # lazy: an optional dependency, which only its own files need

    if not is_zipfile(conversion.file):
        raise ImportRefused(
            f"{conversion.file.name} is not a file of skops: must be a zip archive; if it was cut off, copy it again"
        )
    types = io.get_untrusted_types(file=conversion.file)
    outside = [name for name in types if not is_harmless(*name.rpartition(".")[::2])]
    if outside:
        raise ImportRefused(
            f"{conversion.file.name} holds the types {', '.join(sorted(outside))}: must be known to be harmless and be "
            "there where the model serves; save the model without them, or export it to ONNX"
        )
    return io.load(conversion.file, trusted=types)


def _refuse_what_cannot_answer(conversion: Conversion, pipeline: Any) -> None:
    name, task = type(pipeline).__name__, conversion.contract.task
    if not hasattr(pipeline, "predict"):
        raise ImportRefused(f"the file holds a {name}: must be a fitted estimator with predict")
    needs = "predict" if task == "regression" else "predict_proba"
    if not hasattr(pipeline, needs):
        raise ImportRefused(f"{name}: must have {needs} for a {task} task; CalibratedClassifierCV adds it")
    if task == "regression" and hasattr(pipeline, "classes_"):
        raise ImportRefused(f"{name} is a classifier: must be a regressor, as the contract's task is regression")
    try:
        fitted_order(pipeline, model_columns(conversion.contract))
    except PlanRefused as error:
        raise ImportRefused(
            f"{error}; it must be fitted on the contract's features, by name or in their order"
        ) from error


def _own_answers(conversion: Conversion, pipeline: Any) -> np.ndarray:
    """Return scikit-learn's own scores of the rows."""
    file = conversion.folder / "original.joblib"
    joblib.dump(pipeline, file)
    engine = PipelineEngine(file, model_columns(conversion.contract), ())
    scores, refused = engine.batch(model_batch(conversion.contract, conversion.rows))
    if len(refused) == len(conversion.rows):
        raise ImportRefused(f"the model refuses every one of {len(refused)} rows of the lake: {refused[0].message}")
    return scores
