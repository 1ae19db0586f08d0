"""Metric math over one period."""

import pytest

from local.metric_math import MetricMathError, evaluate, names_in

VALUES = {"bad": 3.0, "all": 12.0, "none": None, "zero": 0.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("100 * bad / all", 25),
        ("all - bad ^ 2", 3),
        ("-(bad + 1)", -4),
        ("bad / zero", None),
        ("bad + none", None),
        ("FILL(none, 0) + bad", 3),
        ("FILL(bad, 0)", 3),
        ("IF(all > 10, bad, 0)", 3),
        ("IF(all < 10, none, 7)", 7),
        ("IF(all > 10 && bad >= 4, 1, 0)", 0),
        ("IF(all > 10 || bad >= 4, 1, 0)", 1),
        ("MAX([bad, all])", 12),
        ("MIN(bad, all)", 3),
        ("SUM([bad, all, 1])", 16),
        ("AVG([bad, all])", 7.5),
        ("CEIL(all / 5) + FLOOR(all / 5) + ABS(-1)", 6),
    ],
)
def test_an_expression_has_the_value_that_cloudwatch_gives_it(expression, expected):
    assert evaluate(expression, VALUES) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "m1 +",
        "ANOMALY_DETECTION_BAND(m1)",
        "m1.upper()",
        "[m1 for m1 in m2]",
        "m1 % 2",
        "__import__('os')",
        "m1 if m2 else m3",
    ],
)
def test_what_is_not_evaluated_is_refused(expression):
    with pytest.raises(MetricMathError, match="cannot be used"):
        names_in(expression)


def test_the_names_in_an_expression_are_its_metrics_not_its_functions():
    assert names_in("IF(m1 > 2, FILL(m2, 0), e1)") == {"m1", "m2", "e1"}
