import pytest

from domain.release.tally import in_words, rates

COUNTS = {"true_positive": 1200, "false_positive": 800, "true_negative": 20_000, "false_negative": 3000}


def test_decisions_are_told_with_precision_recall_and_every_count():
    assert rates(COUNTS) == {"precision": 0.6, "recall": pytest.approx(2 / 7)}
    assert in_words({"decisions": COUNTS}, 0.35) == (
        "at threshold 0.35, of 25,000 rows: 1,200 of 2,000 yes answers are right (precision 0.600), 1,200 of 4,200 "
        "positive rows are found (recall 0.286); 1,200 true positives, 800 false positives, 20,000 true negatives, "
        "3,000 false negatives"
    )


def test_a_model_that_never_answers_yes_has_no_precision():
    none = {**COUNTS, "true_positive": 0, "false_positive": 0}
    assert rates(none) == {"precision": None, "recall": 0.0}
    assert "0 of 0 yes answers are right (precision not defined)" in in_words({"decisions": none}, 0.5)


def test_of_many_classes_those_that_are_found_least_are_named():
    classes = {name: {"right": n, "answered": 10, "actual": 10} for n, name in enumerate("abcde")}
    classes["never"] = {"right": 0, "answered": 4, "actual": 0}
    assert in_words({"classes": classes}, 0.5) == (
        "10 of 50 rows are right; the 3 of 5 classes that are found least: "
        "a: 0 of 10 found (recall 0.000), 0 of 10 such answers right (precision 0.000); "
        "b: 1 of 10 found (recall 0.100), 1 of 10 such answers right (precision 0.100); "
        "c: 2 of 10 found (recall 0.200), 2 of 10 such answers right (precision 0.200)"
    )


def test_errors_are_told_in_the_unit_of_the_target():
    errors = {"rows": 1000, "mean": -0.25, "median_absolute": 3.2, "nine_of_ten": 9.75}
    assert in_words({"errors": errors}, 0.5) == (
        "of 1,000 rows, half of the answers are within 3.2 of what happened and nine of ten within 9.75; "
        "on average 0.25 too low"
    )
