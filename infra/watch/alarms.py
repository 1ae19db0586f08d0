"""Alarms and the dashboard: failures are reported at once, trends as alarms."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from domain.names import METRICS_NAMESPACE, Metric
from infra.parts.flow import Flow
from infra.parts.function import Function
from infra.request.realtime_api import RealtimeApi

FIVE_MINUTES, HOUR, DAY = Duration.minutes(5), Duration.hours(1), Duration.days(1)
RUNBOOK = "What to do: docs/operations.md"  # of the repository of Fairway; an entry for each alarm
CAPTURED_WITHIN_MS = 15 * 60_000  # later than this, what rests on captured answers is blind
LEAST_PREDICTIONS = 20  # in a period: one fallback among them is 5 %, the default of monitoring.fallback_percent


class Alarms(Construct):
    """Failed jobs, flows and endpoints, and metrics beyond their limits -> alarms topic."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        topic: sns.ITopic,
        api: RealtimeApi,
        flows: list[Flow],
        functions: list[Function],
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.config, self.topic, self.undelivered = config, topic, undelivered
        self.tell_of_events(flows)
        fallbacks, latency, broken = (
            self.fallback_percent(),
            self.measured(Metric.LATENCY, "p99"),
            self.errors_of(functions),
        )
        self.watch_the_answers(fallbacks, latency)
        self.watch_the_champion()
        self.watch_the_windows()
        self.watch_the_spending()
        self.watch_what_breaks(api, broken)
        self.dashboard(api, flows, fallbacks=fallbacks, latency=latency, broken=broken)

    def watch_the_answers(self, fallbacks: cloudwatch.IMetric, latency: cloudwatch.IMetric) -> None:
        most, deadline_ms = self.config.monitoring.fallback_percent, self.config.serving.deadline_ms
        self.alarm("Fallbacks", fallbacks, above=most, periods=3, of="answers without the model, in %")
        self.alarm("Latency", latency, above=deadline_ms + 500, periods=3, of="p99 of a request, in ms")

    def watch_the_champion(self) -> None:
        """Watch the champion: training runs measure it and the age of the rows; an hour without a run has no
        measurement.
        """
        broken = self.measured(Metric.BROKEN_BENCHMARKS, "Maximum").with_(period=HOUR)
        self.alarm("Champion", broken, above=0, periods=1, of="benchmarks that the champion breaks on newer rows")
        if most_days := self.config.data.max_age_days:
            age = self.measured(Metric.DATA_AGE_DAYS, "Maximum").with_(period=HOUR)
            self.alarm("StaleRows", age, above=most_days, periods=1, of="age of the newest row, in days")

    def watch_the_windows(self) -> None:
        """Each finding is counted once, in the run that made it; drift alone is none of these."""
        found = self.measured(Metric.WATCH_ALARMS, "Maximum").with_(period=HOUR)
        what = "losses, broken contracts and silences found in the windows, see fairway watch"
        self.alarm("Windows", found, above=0, periods=1, of=what)

    def watch_the_spending(self) -> None:
        most, spent = (
            self.config.budget.alert_percent,
            self.measured(Metric.SPENT_PERCENT, "Maximum").with_(period=HOUR),
        )
        reaped = self.measured(Metric.REAPED, "Sum").with_(period=HOUR)
        self.alarm("Spent", spent, above=most, periods=1, of="the month's budget by usage so far, in %")
        self.alarm(
            "Reaped", reaped, above=0, periods=1, of="endpoints, jobs and notebooks that belonged to nothing, removed"
        )

    def watch_what_breaks(self, api: RealtimeApi, broken: cloudwatch.IMetric) -> None:
        errors = self.api_metric(api, "5xx", "Sum")
        waiting = self.undelivered.metric_approximate_number_of_messages_visible(
            period=FIVE_MINUTES, statistic="Maximum"
        )
        self.alarm("ServerErrors", errors, above=0, periods=1, of="requests that ended in 5xx")
        self.alarm("Undelivered", waiting, above=0, periods=1, of="undelivered events")
        self.alarm("FunctionErrors", broken, above=0, periods=1, of="calls of functions that raised an error")

    def watch_the_capture(self, capture: Function) -> None:
        """Watch the age of captured answers; a failed batch is retried until it is as old as infra/request/capture.py
        allows.
        """
        age = capture.metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES)
        self.alarm("CaptureAge", age, above=CAPTURED_WITHIN_MS, periods=3, of="age of an answer when captured, in ms")

    def tell_of_events(self, flows: list[Flow]) -> None:
        """Report single failures once, with their reason; an alarm would only say that there was one."""
        ours = [{"prefix": f"{self.config.prefix}-"}]
        self.tell(
            "JobFailed",
            "aws.sagemaker",
            ["SageMaker Training Job State Change"],
            {"TrainingJobName": ours, "TrainingJobStatus": ["Failed", "Stopped"]},
        )
        self.tell(
            "ProcessingFailed",
            "aws.sagemaker",
            ["SageMaker Processing Job State Change"],
            {"ProcessingJobName": ours, "ProcessingJobStatus": ["Failed", "Stopped"]},
        )
        broken = ["FAILED", "Failed", "OUT_OF_SERVICE", "OutOfService"]  # events and the API write them differently
        self.tell(
            "EndpointFailed",
            "aws.sagemaker",
            ["SageMaker Endpoint State Change"],
            {"EndpointName": ours, "EndpointStatus": broken},
        )
        arns = [flow.state_machine_arn for flow in flows]
        self.tell(
            "FlowFailed",
            "aws.states",
            ["Step Functions Execution Status Change"],
            {"stateMachineArn": arns, "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
        )

    def tell(self, id: str, source: str, detail_type: list[str], detail: dict[str, Any]) -> None:
        target = targets.SnsTopic(self.topic, dead_letter_queue=self.undelivered)
        pattern = events.EventPattern(source=[source], detail_type=detail_type, detail=detail)
        events.Rule(self, id, event_pattern=pattern, targets=[target])

    def measured(self, name: Metric, statistic: str) -> cloudwatch.Metric:
        """Return a metric written by lambdas/metrics.py."""
        stage = {"project": self.config.project.name, "stage": self.config.stage}
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name.value,
            dimensions_map=stage,
            statistic=statistic,
            period=FIVE_MINUTES,
        )

    def fallback_percent(self) -> cloudwatch.MathExpression:
        return cloudwatch.MathExpression(
            label="answers without the model, or without its endpoint, %",
            # Below this number of predictions a share means nothing: one fallback out of three at night is not
            # reported.
            expression=(
                f"IF(predictions >= {LEAST_PREDICTIONS}, 100 * (fallbacks + FILL(stand_ins, 0)) / predictions, 0)"
            ),
            using_metrics={
                "fallbacks": self.measured(Metric.FALLBACKS, "Sum"),
                "stand_ins": self.measured(Metric.STAND_INS, "Sum"),
                "predictions": self.measured(Metric.PREDICTIONS, "Sum"),
            },
            period=FIVE_MINUTES,
        )

    def errors_of(self, functions: list[Function]) -> cloudwatch.MathExpression:
        """Return the sum of errors over all functions.

        A function that has never run has no metric, and a sum with a missing term is missing, so each term is filled
        with 0.
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

    def api_metric(self, api: RealtimeApi, name: str, statistic: str) -> cloudwatch.Metric:
        return api.api.metric(name, statistic=statistic, period=FIVE_MINUTES)

    def alarm(self, id: str, metric: cloudwatch.IMetric, *, above: float, periods: int, of: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            id,
            alarm_name=f"{self.config.prefix}-{id}",
            alarm_description=f"{self.config.prefix}: {of}: more than {above:g}. {RUNBOOK}#{id.lower()}",
            metric=metric,
            threshold=above,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def dashboard(
        self,
        api: RealtimeApi,
        flows: list[Flow],
        *,
        fallbacks: cloudwatch.IMetric,
        latency: cloudwatch.IMetric,
        broken: cloudwatch.IMetric,
    ) -> None:
        def graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)

        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self.config.prefix)
        board.add_widgets(
            graph(
                "Requests and answers", self.measured(Metric.REQUESTS, "Sum"), self.measured(Metric.PREDICTIONS, "Sum")
            ),
            graph("Answers without the model, %", fallbacks),
            graph(
                "Latency, ms", self.measured(Metric.LATENCY, "p50"), latency, self.measured(Metric.MODEL_LATENCY, "p99")
            ),
        )
        board.add_widgets(
            graph("API errors", self.api_metric(api, "4xx", "Sum"), self.api_metric(api, "5xx", "Sum")),
            graph("Functions' errors", broken),
            graph("Flows that failed", *(flow.metric_failed(label=flow.node.id) for flow in flows)),
        )
        found, moved = (
            self.measured(name, "Maximum").with_(period=DAY) for name in (Metric.WATCH_ALARMS, Metric.MOVED)
        )
        board.add_widgets(graph("Windows: alarms, and what moved", found, moved))
