"""The tables: predictions, outcomes, routing and releases, evidence, runs (keys and items: domain/records.py)."""

from typing import Any

from aws_cdk import CfnTag, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from domain.names import BY_ENTITY
from domain.records import RELEASE, ROUTING

TEXT = dynamodb.AttributeType.STRING


# For a policy on the routing table, which has the releases, the routing, and a few notes.
ONLY_RELEASES = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{RELEASE}*"]}}


def only_items(*keys: str) -> dict[str, Any]:
    return {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(keys)}}


WHO_ANSWERS = only_items(ROUTING)


def key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=TEXT)


class Tables(Construct):
    """predict, write_results -> predictions; outcomes -> outcomes; promote -> routing; load, train, batch -> runs.

    capture, outcomes -> evidence.
    """

    def __init__(self, scope: Construct, id: str, *, prefix: str, removal_policy: RemovalPolicy) -> None:
        super().__init__(scope, id)

        def table(id: str, **more: Any) -> dynamodb.TableV2:
            return dynamodb.TableV2(
                self,
                id,
                table_name=f"{prefix}-{id.lower()}",
                billing=dynamodb.Billing.on_demand(),
                point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                    point_in_time_recovery_enabled=True
                ),
                deletion_protection=removal_policy != RemovalPolicy.DESTROY,
                removal_policy=removal_policy,
                tags=[CfnTag(key="fairway", value=prefix)],  # backups of the app's own do not cover a replica
                **more,
            )

        self.predictions = table(
            "Predictions",
            partition_key=key("id"),
            time_to_live_attribute="expires_at",
            dynamo_stream=dynamodb.StreamViewType.NEW_IMAGE,
        )
        self.predictions.add_global_secondary_index(
            index_name=BY_ENTITY, partition_key=key("entity_id"), sort_key=key("made_at")
        )
        self.outcomes = table("Outcomes", partition_key=key("entity_id"), sort_key=key("event_time"))
        self.routing = table("Routing", partition_key=key("item"))
        self.runs = table("Runs", partition_key=key("kind"), sort_key=key("run"))
        self.evidence = table(
            "Evidence",
            partition_key=key("rollout"),
            sort_key=key("item"),
            time_to_live_attribute="expires_at",
        )

    @property
    def predictions_by_entity(self) -> str:
        """Return the ARN of the index of predictions by entity."""
        return f"{self.predictions.table_arn}/index/{BY_ENTITY}"
