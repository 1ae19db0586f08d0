"""scikit-learn pipelines from joblib, pickle and skops files -> a plan, or themselves where no plan will do."""

import re
import warnings
from importlib.metadata import version
from typing import Any
from zipfile import is_zipfile

import joblib
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


def convert(conversion: Conversion):
    pipeline = _best(conversion, opened(conversion))
    refuse_what_cannot_answer(conversion, pipeline)
    scores = own_answers(conversion, pipeline)
    write_model(conversion.folder, pipeline, conversion.contract)
    return scores, {"scikit-learn": version("scikit-learn")}


def opened(conversion: Conversion):
    """The fitted estimator. One of another minor version of scikit-learn may answer otherwise than it used to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        pipeline = skops(conversion) if conversion.format == SKOPS else joblib.load(conversion.file)
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            refuse_other_version(warning.message.original_sklearn_version)
    return pipeline


def _best(conversion: Conversion, estimator: Any) -> Any:
    """Return a search's best estimator: that is what it answers with, and a plan may express it."""
    if not isinstance(estimator, BaseSearchCV):
        return estimator
    if not hasattr(estimator, "best_estimator_"):
        raise ImportRefused(
            f"{conversion.file.name} holds a {type(estimator).__name__} without best_estimator_; fit it with refit"
        )
    return estimator.best_estimator_


def refuse_other_version(made_with: str) -> None:
    here = version("scikit-learn")
    if minor(made_with) != minor(here):
        raise ImportRefused(
            f"the model was made with scikit-learn {made_with}, here is {here}: its answers may differ unseen; fit it "
            "again with this version, or export it to ONNX where it was made"
        )


def minor(release: str) -> list[str]:
    return re.split(r"[.]", release)[:2]


def skops(conversion: Conversion):
    """skops makes only types that are named to it; those are held to the same list as the names in a pickle."""
    from skops import io

    if not is_zipfile(conversion.file):
        raise ImportRefused(
            f"{conversion.file.name} is no file of skops: it is no zip archive; if it was cut off "
            "on its way, bring it again"
        )
    types = io.get_untrusted_types(file=conversion.file)
    outside = [name for name in types if not is_harmless(*name.rpartition(".")[::2])]
    if outside:
        raise ImportRefused(
            f"{conversion.file.name} holds the types {', '.join(sorted(outside))}, which are not known to be harmless "
            "and not there where the model serves; save the model without them, or export it to ONNX"
        )
    return io.load(conversion.file, trusted=types)


def refuse_what_cannot_answer(conversion: Conversion, pipeline) -> None:
    name, task = type(pipeline).__name__, conversion.contract.task
    if not hasattr(pipeline, "predict"):
        raise ImportRefused(f"the file holds a {name}, which is no fitted estimator: it has no predict")
    needs = "predict" if task == "regression" else "predict_proba"
    if not hasattr(pipeline, needs):
        raise ImportRefused(f"{name} has no {needs}, which a {task} model needs; CalibratedClassifierCV adds it")
    if task == "regression" and hasattr(pipeline, "classes_"):
        raise ImportRefused(f"{name} is a classifier, the contract's task is regression")
    try:
        fitted_order(pipeline, model_columns(conversion.contract))
    except PlanRefused as error:
        raise ImportRefused(
            f"{error}; it must be fitted on the contract's features, by name or in their order"
        ) from error


def own_answers(conversion: Conversion, pipeline):
    """scikit-learn's own scores of the rows."""
    file = conversion.folder / "original.joblib"
    joblib.dump(pipeline, file)
    engine = PipelineEngine(file, model_columns(conversion.contract), ())
    scores, refused = engine.batch(model_batch(conversion.contract, conversion.rows))
    if len(refused) == len(conversion.rows):
        raise ImportRefused(f"the model refuses every one of {len(refused)} rows of the lake: {refused[0].message}")
    return scores
