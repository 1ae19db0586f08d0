"""The budget of a stage, the actions near its limits, and the removal of forgotten resources."""

import json

from aws_cdk import Duration
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain.config.sections import Config
from domain.records import GUARD, ROUTING
from infra.data.tables import Tables, only_items
from infra.parts.function import Function
from infra.permissions import Many, arn, own_stacks
from infra.release.endpoints import LISTS, Endpoints


class Money(Construct):
    """Spending under this stage's tag -> budget -> alarms topic.

    Every hour -> Guard: what the month costs by its usage, hours before AWS knows, and what [budget] asks for then; and
    the age of the newest row.
    Every hour -> Reap: endpoints, jobs and notebooks that nothing knows. Budgets and the anomaly monitor see a tag only
    once it is activated as a cost allocation tag in the account: `fairway`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        code: lambda_.Code,
        tables: Tables,
        endpoints: Endpoints,
        alarms: sns.ITopic,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.config, self.code, self.tables = config, code, tables
        self.budget(alarms)
        if config.budget.anomaly_usd:
            self.anomalies(alarms)
        self.guard = self.function_that_guards_the_budget(endpoints, alarms)
        self.reap = self.function_that_reaps(endpoints, alarms)
        for id, function in (("EveryHourGuard", self.guard), ("EveryHourReap", self.reap)):
            target = targets.LambdaFunction(function, dead_letter_queue=undelivered, retry_attempts=2)
            events.Rule(self, id, schedule=events.Schedule.rate(Duration.hours(1)), targets=[target])

    def budget(self, alarms: sns.ITopic) -> None:
        spent = self.config.budget.alert_percent
        # No name of our own: every change of a notice replaces the budget, and two budgets cannot have the same name.
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=self.config.budget.monthly_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:fairway${self.config.prefix}"]},
            ),
            notifications_with_subscribers=[
                notice(alarms, "ACTUAL", spent),
                *([notice(alarms, "ACTUAL", 100)] if spent < 100 else []),
                notice(alarms, "FORECASTED", 100),
            ],
        )

    def function(self, id: str, environment: dict[str, str]) -> Function:
        """Return an hourly function that reads the routing and the runs."""
        environment |= {"ROUTING_TABLE": self.tables.routing.table_name, "RUNS_TABLE": self.tables.runs.table_name}
        function = Function(
            self, id, config=self.config, code=self.code, memory_mb=256, timeout_s=300, environment=environment
        )
        function.allow("dynamodb:GetItem", on=self.tables.routing.table_arn)
        function.allow("dynamodb:Query", on=self.tables.runs.table_arn)
        return function

    def function_that_guards_the_budget(self, endpoints: Endpoints, alarms: sns.ITopic) -> Function:
        function = self.function("Guard", {"ALARMS": alarms.topic_arn})
        function.allow("dynamodb:PutItem", on=self.tables.routing.table_arn, conditions=only_items(ROUTING, GUARD))
        # The endpoint of a model that returns in a new month may have been removed; its configuration remains.
        function.allow("sagemaker:CreateEndpoint", on=endpoints.every("endpoint", "endpoint-config"))
        function.allow("sagemaker:AddTags", on=endpoints.every("endpoint"))
        function.allow("sns:Publish", on=alarms.topic_arn)
        function.allow("cloudwatch:GetMetricData", on=Many(["*"], "Metrics have no resources that a policy could name"))
        function.allow("cloudformation:GetTemplate", on=own_stacks(self.config))
        return function

    def function_that_reaps(self, endpoints: Endpoints, alarms: sns.ITopic) -> Function:
        """Return the function that removes forgotten resources; they are identified by our tag, since their names are
        arbitrary.
        """
        function = self.function("Reap", {"ENDPOINT_PREFIX": endpoints.prefix, "ALARMS": alarms.topic_arn})
        function.allow("sns:Publish", on=alarms.topic_arn)
        lists = ("Endpoints", "TrainingJobs", "ProcessingJobs", "NotebookInstances")
        function.allow(*(f"sagemaker:List{kind}" for kind in lists), on=LISTS)
        ours = {"StringEquals": {"aws:ResourceTag/fairway": self.config.prefix}}

        def every(*kinds: str) -> Many:
            return Many([arn("sagemaker", f"{kind}/*") for kind in kinds], "Its tag says whose it is, not its name")

        function.allow(
            "sagemaker:ListTags", on=every("endpoint", "training-job", "processing-job", "notebook-instance")
        )
        function.allow(
            "sagemaker:DescribeEndpointConfig", on=every("endpoint-config")
        )  # a person may have created it without the tag
        function.allow("sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", on=every("endpoint"), conditions=ours)
        for job, kind in (("TrainingJob", "training-job"), ("ProcessingJob", "processing-job")):
            function.allow(f"sagemaker:Describe{job}", f"sagemaker:Stop{job}", on=every(kind), conditions=ours)
        function.allow("sagemaker:StopNotebookInstance", on=every("notebook-instance"), conditions=ours)
        return function

    def anomalies(self, alarms: sns.ITopic) -> None:
        """Notify at once of unusual spending from budget.anomaly_usd on."""
        tag = {"Tags": {"Key": "user:fairway", "Values": [self.config.prefix]}}
        monitor = ce.CfnAnomalyMonitor(
            self,
            "Unusual",
            monitor_name=self.config.prefix,
            monitor_type="CUSTOM",
            monitor_specification=json.dumps(tag),
        )
        least = {
            "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
            "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
            "Values": [f"{self.config.budget.anomaly_usd:g}"],
        }
        ce.CfnAnomalySubscription(
            self,
            "UnusualIsTold",
            subscription_name=self.config.prefix,
            frequency="IMMEDIATE",  # the only one that a topic can have
            monitor_arn_list=[monitor.attr_monitor_arn],
            subscribers=[ce.CfnAnomalySubscription.SubscriberProperty(type="SNS", address=alarms.topic_arn)],
            threshold_expression=json.dumps({"Dimensions": least}),
        )


def notice(topic: sns.ITopic, kind: str, percent: float) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
    return budgets.CfnBudget.NotificationWithSubscribersProperty(
        notification=budgets.CfnBudget.NotificationProperty(
            notification_type=kind, comparison_operator="GREATER_THAN", threshold=percent, threshold_type="PERCENTAGE"
        ),
        subscribers=[budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)],
    )
