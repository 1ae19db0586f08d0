"""What the stage may cost, and who hears when it nears that."""

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_sns as sns
from constructs import Construct


class Money(Construct):
    """Spending with this stage's tag -> budget -> alarms topic. The cost allocation tag `fairway` has to be activated once."""

    def __init__(self, scope, id, *, config, alarms: sns.ITopic):
        super().__init__(scope, id)
        topic = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=alarms.topic_arn)

        def notice(kind: str, percent: float) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
            notification = budgets.CfnBudget.NotificationProperty(
                notification_type=kind, comparison_operator="GREATER_THAN", threshold=percent, threshold_type="PERCENTAGE"
            )
            return budgets.CfnBudget.NotificationWithSubscribersProperty(notification=notification, subscribers=[topic])

        # No name of our own: every change of a notice replaces the budget, and two cannot have one name.
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=config.budget.monthly_usd, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:fairway${config.prefix}"]},
            ),
            notifications_with_subscribers=[
                notice("ACTUAL", config.budget.alert_percent),
                *([notice("ACTUAL", 100)] if config.budget.alert_percent < 100 else []),
                notice("FORECASTED", 100),
            ],
        )
