"""Schedules. Only here is the clock read: each run gets its time, `as_of`."""

from typing import Any

from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from infra.parts.flow import Flow


class Schedules(Construct):
    """EventBridge Scheduler -> Train {as_of}, Batch {as_of, input, only_new: a file is scored once}, Watch {as_of}.

    Runs that cannot be started go to `undelivered`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        train: Flow,
        batch: Flow,
        watch: Flow,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.undelivered = undelivered
        moment = {"as_of": scheduler.ContextAttribute.scheduled_time}
        self.start("Train", config.training.schedule, train, moment)
        self.start("Batch", config.batch.schedule, batch, {**moment, "input": config.batch.input, "only_new": True})
        self.start("Watch", config.monitoring.schedule, watch, moment)

    def start(self, id: str, expression: str, flow: Flow, given: dict[str, Any]) -> None:
        if expression == "off":
            return
        target = targets.StepFunctionsStartExecution(
            flow, input=scheduler.ScheduleTargetInput.from_object(given), dead_letter_queue=self.undelivered
        )
        scheduler.Schedule(self, id, schedule=scheduler.ScheduleExpression.expression(expression), target=target)
