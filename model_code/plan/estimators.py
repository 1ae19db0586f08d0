"""Fitted estimators as models of a plan: what is summed in which order, and the links that make the sums an answer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from model_code.plan.format import Calibrator, Constant, Linear, Link
from model_code.plan.signals import Levels, Part, Signal, through
from model_code.plan.trees import boosted, forest, histogram_boosted, single_tree
from model_code.refusals import PlanRefused

_FINITE = (("present", 0.0, 0.0), ("finite", 0.0, 0.0))


def members(estimator: Any, signals: list[Signal], levels: Levels, *, scores: bool = False) -> list[Part]:
    """Return (signals as the model takes them, model, links) of a fitted estimator, one for each calibrated part of an
    ensemble.

    With `scores` the answer is what CalibratedClassifierCV calibrates: the decision function, or failing that the
    probabilities.
    """
    name = type(estimator).__name__
    if not type(estimator).__module__.startswith("sklearn.") or name not in _ESTIMATORS:
        raise PlanRefused(f"estimator {type(estimator).__module__}.{name}: a plan takes {', '.join(_ESTIMATORS)}")
    if name in _NESTED:
        return _NESTED[name](estimator, signals, levels, scores)
    _one_target(estimator, name)
    taken, model, links = _ESTIMATORS[name](estimator, signals, levels)
    if scores:
        links = _scores(links, hasattr(estimator, "decision_function"), len(estimator.classes_))
    return [(taken, model, links)]


def _one_target(estimator: Any, name: str) -> None:
    classes = getattr(estimator, "classes_", None)
    if (
        isinstance(classes, list)
        or getattr(estimator, "n_outputs_", 1) != 1
        or np.ndim(getattr(estimator, "intercept_", 0.0)) > 1
    ):
        raise PlanRefused(f"{name} with several targets: a plan takes one")


def _scores(links: tuple[Link, ...], has_decision: bool, classes: int) -> tuple[Link, ...]:
    if has_decision:
        return ()
    return (*links, Link("second")) if classes == 2 else links


def _pipeline(pipeline: Any, signals: list[Signal], levels: Levels, scores: bool) -> list[Part]:
    for _, step in pipeline.steps[:-1]:
        signals = through("passthrough" if step is None else step, signals, levels)
    return members(pipeline.steps[-1][1], signals, levels, scores=scores)


def _frozen(frozen: Any, signals: list[Signal], levels: Levels, scores: bool) -> list[Part]:
    return members(frozen.estimator, signals, levels, scores=scores)


def _calibrated(calibrated: Any, signals: list[Signal], levels: Levels, scores: bool) -> list[Part]:
    if scores:
        raise PlanRefused("CalibratedClassifierCV inside CalibratedClassifierCV: a plan takes one calibration")
    out = []
    for part in calibrated.calibrated_classifiers_:
        if part.method not in ("sigmoid", "isotonic"):
            raise PlanRefused(f"CalibratedClassifierCV(method={part.method!r}): a plan takes 'sigmoid' and 'isotonic'")
        if not np.array_equal(part.estimator.classes_, calibrated.classes_):
            raise PlanRefused(
                "CalibratedClassifierCV with a fold that has not seen every class: use fewer folds or ensemble=False"
            )
        inner = members(part.estimator, signals, levels, scores=True)
        calibrate = Link("calibrate", tuple(_calibrator(calibrator) for calibrator in part.calibrators))
        out += [(taken, model, (*links, calibrate)) for taken, model, links in inner]
    return out


def _calibrator(calibrator: Any) -> Calibrator:
    if type(calibrator).__name__ == "_SigmoidCalibration":
        return Calibrator("sigmoid", np.array([-calibrator.a_]), np.array([-calibrator.b_]))
    x, y = calibrator.X_thresholds_, calibrator.y_thresholds_
    if calibrator.out_of_bounds != "clip" or x.dtype != np.float64 or y.dtype != np.float64:
        raise PlanRefused(
            f"IsotonicRegression(out_of_bounds={calibrator.out_of_bounds!r}) on {x.dtype}: "
            "a plan takes out_of_bounds='clip' on float64"
        )
    return Calibrator("isotonic", x, y)


def _dummy(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    if not hasattr(estimator, "classes_"):
        return [], Constant(np.ravel(estimator.constant_).astype(np.float64)), ()
    if estimator.strategy == "stratified":
        raise PlanRefused(
            "DummyClassifier(strategy='stratified') answers at random: "
            "a plan takes prior, most_frequent, uniform, constant"
        )
    return [], Constant(estimator.predict_proba(np.zeros((1, 1)))[0].astype(np.float64)), ()


def _linear(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    coef = np.atleast_2d(estimator.coef_).astype(np.float64)
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, np.float64), (len(coef),))
    return [(signal, _FINITE) for signal in signals], Linear(coef, intercept), ()


def _logistic(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    taken, model, _ = _linear(estimator, signals, levels)
    return taken, model, (Link("expit" if len(estimator.classes_) == 2 else "softmax_by_rows"),)


_ESTIMATORS: dict[str, Callable[..., Any]] = {
    "LogisticRegression": _logistic,
    "Ridge": _linear,
    "LinearRegression": _linear,
    "HistGradientBoostingClassifier": histogram_boosted,
    "HistGradientBoostingRegressor": histogram_boosted,
    "GradientBoostingClassifier": boosted,
    "GradientBoostingRegressor": boosted,
    "RandomForestClassifier": forest,
    "RandomForestRegressor": forest,
    "ExtraTreesClassifier": forest,
    "ExtraTreesRegressor": forest,
    "DecisionTreeClassifier": single_tree,
    "DecisionTreeRegressor": single_tree,
    "DummyClassifier": _dummy,
    "DummyRegressor": _dummy,
    "CalibratedClassifierCV": _calibrated,
    "FrozenEstimator": _frozen,
    "Pipeline": _pipeline,
}
_NESTED = {"CalibratedClassifierCV": _calibrated, "FrozenEstimator": _frozen, "Pipeline": _pipeline}
