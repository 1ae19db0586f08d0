"""The topic for alarms."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from domain.config.sections import Config
from infra.permissions import accept

PUBLISHERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com")


class AlarmsTopic(Construct):
    """Alarms, failed jobs and budgets of this account -> topic -> monitoring.email."""

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", topic_name=f"{config.prefix}-alarms", enforce_ssl=True)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                principals=[iam.ServicePrincipal(service) for service in PUBLISHERS],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        # No condition on the source: EventBridge sends nothing about itself to compare, so its messages would be
        # dropped.
        self.topic.grant_publish(iam.ServicePrincipal("events.amazonaws.com"))
        if config.monitoring.email:
            email = self.topic.add_subscription(subscriptions.EmailSubscription(config.monitoring.email))
            accept(
                email, "Serverless-SNSRedrivePolicy", "SNS retries e-mail itself, and the alarm stays on the dashboard"
            )
