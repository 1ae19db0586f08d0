"""Correct and wrong answers of a model on held-out rows: precision, recall and counts, or the spread of its errors."""

from typing import TypedDict

from domain.release.evaluation import ClassCounts, Errors, Measured

NAMED_CLASSES = 3  # classes with the lowest recall that are named; the others are counted


class Rates(TypedDict):
    """Precision and recall of a binary task; None without rows to count."""

    precision: float | None
    recall: float | None


def rates(counts: dict[str, int]) -> Rates:
    right = counts["true_positive"]
    return {
        "precision": _share(right, right + counts["false_positive"]),
        "recall": _share(right, right + counts["false_negative"]),
    }


def in_words(measured: Measured, threshold: float) -> str:
    """Summarise the answers in a sentence; `threshold` is the probability from which a binary answer is yes."""
    if "decisions" in measured:
        return _of_decisions(measured["decisions"], threshold)
    if "classes" in measured:
        return _of_classes(measured["classes"])
    return _of_errors(measured["errors"]) if "errors" in measured else ""


def _of_decisions(counts: dict[str, int], threshold: float) -> str:
    found, rows = rates(counts), sum(counts.values())
    right = counts["true_positive"]
    yes, positive = right + counts["false_positive"], right + counts["false_negative"]
    return (
        f"at threshold {threshold:g}, of {rows:,} rows: {right:,} of {yes:,} yes answers are right "
        f"(precision {_rate(found['precision'])}), {right:,} of {positive:,} positive rows are found "
        f"(recall {_rate(found['recall'])}); {right:,} true positives, {counts['false_positive']:,} "
        f"false positives, {counts['true_negative']:,} true negatives, {counts['false_negative']:,} false negatives"
    )


def _of_classes(classes: dict[str, ClassCounts]) -> str:
    rows = sum(each["actual"] for each in classes.values())
    right = sum(each["right"] for each in classes.values())
    least = sorted(
        (name for name in classes if classes[name]["actual"]),
        key=lambda name: (classes[name]["right"] / classes[name]["actual"], name),
    )
    words = "; ".join(_of_class(name, classes[name]) for name in least[:NAMED_CLASSES])
    of_many = f"the {NAMED_CLASSES} of {len(least):,} classes that are found least: "
    return f"{right:,} of {rows:,} rows are right; {of_many if len(least) > NAMED_CLASSES else ''}{words}"


def _of_class(name: str, counts: ClassCounts) -> str:
    right, answered, actual = counts["right"], counts["answered"], counts["actual"]
    return (
        f"{name}: {right:,} of {actual:,} found (recall {_rate(_share(right, actual))}), "
        f"{right:,} of {answered:,} such answers right (precision {_rate(_share(right, answered))})"
    )


def _of_errors(errors: Errors) -> str:
    lean = "high" if errors["mean"] > 0 else "low"
    return (
        f"of {errors['rows']:,} rows, half of the answers are within {errors['median_absolute']:.4g} of what happened "
        f"and nine of ten within {errors['nine_of_ten']:.4g}; on average {abs(errors['mean']):.4g} too {lean}"
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rate(share: float | None) -> str:
    return "not defined" if share is None else f"{share:.3f}"
