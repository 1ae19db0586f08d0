"""Fitted trees and their ensembles as `Trees`: nodes in one array, leaves summed in the order that scikit-learn sums
them.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from model_code.plan.format import CATEGORY_WORDS, Link, Steps, Trees
from model_code.plan.signals import UNKNOWN, Levels, Part, Signal, Taken, coded, learn
from model_code.refusals import PlanRefused

_FLOAT32 = (("float32", 0.0, 0.0), ("finite", 0.0, 0.0))


def single_tree(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    return _plain([estimator], estimator, signals, baseline=None, divisor=1.0)


def forest(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    return _plain(estimator.estimators_, estimator, signals, baseline=None, divisor=float(len(estimator.estimators_)))


def _plain(
    trees: list[Any], estimator: Any, signals: list[Signal], *, baseline: np.ndarray | None, divisor: float
) -> Part:
    """Lower trees whose leaves hold the answer itself: class shares or a mean."""
    parts = [_nodes(tree.tree_) for tree in trees]
    values = [tree.tree_.value[:, 0, :] for tree in trees]
    outputs = values[0].shape[1] if hasattr(estimator, "classes_") else 1
    # a forest takes its first tree's word for whether it can treat a NaN: none can in a sparse matrix
    sparse = any(signal.sparse for signal in signals)
    present = () if trees[0]._support_missing_values(np.zeros((1, 1))) and not sparse else (("present", 0.0, 0.0),)
    baseline = np.zeros(outputs)
    return _float32(signals, present), _joined(parts, values, baseline, divisor, outputs), ()


def boosted(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    """Lower GradientBoosting: every leaf is scaled by the learning rate before it is added."""
    if estimator.init is not None and estimator.init_ != "zero":
        raise PlanRefused(
            f"{type(estimator).__name__}(init={estimator.init!r}): a plan takes init=None and init='zero'"
        )
    trees = [tree for stage in estimator.estimators_ for tree in stage]
    parts = [_nodes(tree.tree_) for tree in trees]
    values = [estimator.learning_rate * tree.tree_.value[:, 0, :1] for tree in trees]
    baseline = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_)))[0]
    links: tuple[Link, ...] = ()
    if hasattr(estimator, "classes_"):
        links = (Link({"log_loss": "expit", "exponential": "expit_double"}[estimator.loss]),)
        links = links if len(baseline) == 1 else (Link("softmax_by_rows"),)
    present = (("present", 0.0, 0.0),)
    return _float32(signals, present), _joined(parts, values, baseline, 1.0, 1), links


def _float32(signals: list[Signal], checks: Steps) -> Taken:
    return [(signal, (*checks, *_FLOAT32)) for signal in signals]


def _nodes(tree: Any) -> dict[str, np.ndarray]:
    leaf = tree.children_left < 0
    return {
        "feature": np.where(leaf, -1, tree.feature),
        "threshold": np.where(leaf, 0.0, tree.threshold),
        "left": tree.children_left,
        "right": tree.children_right,
        "missing_left": np.where(leaf, 0, tree.missing_go_to_left),
        "category_set": np.full(tree.node_count, -1),
    }


def histogram_boosted(estimator: Any, signals: list[Signal], levels: Levels) -> Part:
    """Lower HistGradientBoosting: float64 thresholds, and sets of categories that its own ordinal encoder numbers."""
    signals = _encoded(estimator, signals, levels)
    predictors = [predictor for iteration in estimator._predictors for predictor in iteration]
    parts: list[dict[str, np.ndarray]] = []
    sets: list[np.ndarray] = []
    for predictor in predictors:
        nodes = predictor.nodes
        split = nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool)
        part = _histogram_nodes(nodes)
        part["category_set"] = np.where(split, nodes["bitset_idx"].astype(np.int64) + sum(map(len, sets)), -1)
        parts.append(part)
        sets.append(np.asarray(predictor.raw_left_cat_bitsets, np.uint32).reshape(-1, CATEGORY_WORDS))
    values = [predictor.nodes["value"][:, None] for predictor in predictors]
    baseline = np.ravel(estimator._baseline_prediction).astype(np.float64)
    trees = _joined(parts, values, baseline, 1.0, 1, sets=np.concatenate(sets))
    return [(signal, ()) for signal in signals], trees, _histogram_links(estimator, len(baseline))


def _histogram_nodes(nodes: Any) -> dict[str, np.ndarray]:
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "feature": np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)),
        "threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
        "left": nodes["left"].astype(np.int64),
        "right": nodes["right"].astype(np.int64),
        "missing_left": np.where(leaf, 0, nodes["missing_go_to_left"]),
    }


def _histogram_links(estimator: Any, outputs: int) -> tuple[Link, ...]:
    if hasattr(estimator, "classes_"):
        return (Link("expit" if outputs == 1 else "softmax_by_columns"),)
    link = type(estimator._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise PlanRefused(
            f"{type(estimator).__name__}(loss={estimator.loss!r}): a plan takes losses with the identity "
            "or the log link"
        )
    return (Link("exp"),) if link == "LogLink" else ()


def _encoded(estimator: Any, signals: list[Signal], levels: Levels) -> list[Signal]:
    """Encode signals as the estimator does: it numbers its categorical features itself and puts them first.

    An unknown category counts as missing.
    """
    if estimator._preprocessor is None:
        return signals
    flags = np.asarray(estimator.is_categorical_)
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    known_sets, places = estimator._bin_mapper.make_known_categories_bitsets()
    out = []
    for place, j in enumerate(np.flatnonzero(flags)):
        categories = encoder.categories_[place]
        learn(levels, signals[j], categories)
        signal = coded(signals[j], categories, type(estimator).__name__)
        numbers = {_key(category): float(number) for number, category in enumerate(categories)}
        known = {n for n in range(256) if known_sets[places[place], n // 32] >> np.uint32(n % 32) & np.uint32(1)}
        found = [numbers.get(_key(value), np.nan) for value in signal.table]
        table = tuple(n if n in known else np.nan for n in found)
        out.append(replace(signal, table=table))
    return out + [signals[j] for j in np.flatnonzero(~flags)]


def _key(value: Any) -> Any:
    """Return the key of a category: a NaN is not one of its own, as the encoder gives it the missing code."""
    return UNKNOWN if isinstance(value, float) and np.isnan(value) else value


def _joined(
    parts: list[dict[str, np.ndarray]],
    values: list[np.ndarray],
    baseline: np.ndarray | None,
    divisor: float,
    leaf_width: int,
    sets: np.ndarray | None = None,
) -> Trees:
    """Join the nodes of all trees in one array: children come after their parent, leaves point at their values."""
    counts = [len(part["feature"]) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    base = np.repeat(starts[:-1], counts)
    leaf = joined["feature"] < 0
    joined["left"] = np.where(leaf, np.cumsum(leaf) - 1, joined["left"] + base)
    joined["right"] = np.where(leaf, 0, joined["right"] + base)
    return Trees(
        baseline=np.asarray(baseline, np.float64),
        divisor=divisor,
        leaf_width=leaf_width,
        roots=starts[:-1],
        sets=np.zeros(0, np.uint32) if sets is None else sets.ravel(),
        values=np.concatenate(values)[leaf].ravel(),
        **joined,
    )
