"""Metrics that alarms and the dashboard read: those of lambdas/metrics.py, and AWS's own."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from domain.config.sections import Config
from domain.names import METRICS_NAMESPACE, Metric
from infra.parts.flow import Flow
from infra.parts.function import Function
from infra.request.realtime_api import RealtimeApi

FIVE_MINUTES, HOUR, DAY = Duration.minutes(5), Duration.hours(1), Duration.days(1)
LEAST_PREDICTIONS = 20  # in a period: one fallback among them is 5 %, the default of monitoring.fallback_percent


@dataclass(frozen=True)
class Watched:
    """What alarms and the dashboard look at."""

    config: Config
    api: RealtimeApi
    flows: list[Flow]
    functions: list[Function]
    capture: Function


def measured(
    config: Config, name: Metric, statistic: str, *, period: Duration = FIVE_MINUTES, label: str | None = None
) -> cloudwatch.Metric:
    """Return a metric written by lambdas/metrics.py."""
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name.value,
        dimensions_map={"project": config.project.name, "stage": config.stage},
        statistic=statistic,
        period=period,
        label=label,
    )


def fallback_percent(config: Config) -> cloudwatch.MathExpression:
    """Below LEAST_PREDICTIONS a share means nothing: one fallback out of three at night is not reported."""
    return cloudwatch.MathExpression(
        label="answers without the model, or without its endpoint, %",
        expression=f"IF(predictions >= {LEAST_PREDICTIONS}, 100 * (fallbacks + FILL(stand_ins, 0)) / predictions, 0)",
        using_metrics={
            "fallbacks": measured(config, Metric.FALLBACKS, "Sum"),
            "stand_ins": measured(config, Metric.STAND_INS, "Sum"),
            "predictions": measured(config, Metric.PREDICTIONS, "Sum"),
        },
        period=FIVE_MINUTES,
    )


def errors_of(functions: list[Function]) -> cloudwatch.MathExpression:
    """Return the sum of errors over all functions.

    A function that has never run has no metric, and a sum with a missing term is missing, so each term is filled with
    0.
    """
    errors = {
        f"m{number}": function.metric_errors(period=FIVE_MINUTES, label=function.node.id)
        for number, function in enumerate(functions)
    }
    return cloudwatch.MathExpression(
        label="errors of functions",
        expression=f"SUM([{', '.join(f'FILL({name}, 0)' for name in errors)}])",
        using_metrics=errors,
        period=FIVE_MINUTES,
    )


def capture_age(capture: Function) -> cloudwatch.Metric:
    """Return the age of an answer when it is captured, in milliseconds."""
    return capture.metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES)


def api_metric(api: RealtimeApi, name: str, statistic: str) -> cloudwatch.Metric:
    return api.api.metric(name, statistic=statistic, period=FIVE_MINUTES)
