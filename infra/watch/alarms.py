"""Alarms: failures are reported at once, trends when a metric is beyond its limit."""

from typing import Any

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.names import Metric
from infra.parts.flow import Flow
from infra.parts.function import Function
from infra.request.realtime_api import RealtimeApi
from infra.watch.metrics import (
    FIVE_MINUTES,
    HOUR,
    Watched,
    api_metric,
    capture_age,
    errors_of,
    fallback_percent,
    measured,
)

RUNBOOK = "What to do: docs/operations.md"  # of the repository of Fairway; an entry for each alarm
CAPTURED_WITHIN_MS = 15 * 60_000  # later than this, what rests on captured answers is blind


class Alarms(Construct):
    """Failed jobs, flows and endpoints, and metrics beyond their limits -> alarms topic."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        watched: Watched,
        topic: sns.ITopic,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.config, self.topic, self.undelivered = watched.config, topic, undelivered
        self.tell_of_events(watched.flows)
        self.watch_the_answers()
        self.watch_the_champion()
        self.watch_the_windows()
        self.watch_the_spending()
        self.watch_what_breaks(watched.api, errors_of(watched.functions))
        self.watch_the_capture(watched.capture)

    def watch_the_answers(self) -> None:
        most, deadline_ms = self.config.monitoring.fallback_percent, self.config.serving.deadline_ms
        latency = measured(self.config, Metric.LATENCY, "p99")
        self.alarm(
            "Fallbacks", fallback_percent(self.config), above=most, periods=3, of="answers without the model, in %"
        )
        self.alarm("Latency", latency, above=deadline_ms + 500, periods=3, of="p99 of a request, in ms")

    def watch_the_champion(self) -> None:
        """Watch the champion: training runs measure it and the age of the rows; an hour without a run has no
        measurement.
        """
        broken = measured(self.config, Metric.BROKEN_BENCHMARKS, "Maximum").with_(period=HOUR)
        self.alarm("Champion", broken, above=0, periods=1, of="benchmarks that the champion breaks on newer rows")
        if most_days := self.config.data.max_age_days:
            age = measured(self.config, Metric.DATA_AGE_DAYS, "Maximum").with_(period=HOUR)
            self.alarm("StaleRows", age, above=most_days, periods=1, of="age of the newest row, in days")

    def watch_the_windows(self) -> None:
        """Each finding is counted once, in the run that made it; drift alone is none of these."""
        found = measured(self.config, Metric.WATCH_ALARMS, "Maximum").with_(period=HOUR)
        what = "losses, broken contracts and silences found in the windows, see fairway watch"
        self.alarm("Windows", found, above=0, periods=1, of=what)

    def watch_the_spending(self) -> None:
        most, spent = (
            self.config.budget.alert_percent,
            measured(self.config, Metric.SPENT_PERCENT, "Maximum").with_(period=HOUR),
        )
        reaped = measured(self.config, Metric.REAPED, "Sum").with_(period=HOUR)
        self.alarm("Spent", spent, above=most, periods=1, of="the month's budget by usage so far, in %")
        self.alarm(
            "Reaped", reaped, above=0, periods=1, of="endpoints, jobs and notebooks that belonged to nothing, removed"
        )

    def watch_what_breaks(self, api: RealtimeApi, broken: cloudwatch.IMetric) -> None:
        errors = api_metric(api, "5xx", "Sum")
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
        self.alarm(
            "CaptureAge",
            capture_age(capture),
            above=CAPTURED_WITHIN_MS,
            periods=3,
            of="age of an answer when captured, in ms",
        )

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
