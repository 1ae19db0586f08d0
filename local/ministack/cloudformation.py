"""CloudFormation types without a provisioner in MiniStack: real if the service exists here, otherwise recorded and
listed.

Recorded resources are declared, not simulated: `/_fairway/declared` lists them and `fairway status` shows them.
"""

import json
import secrets
from collections.abc import Callable

from ministack.core.responses import get_account_id, get_region
from ministack.services import budgets, cloudformation, cloudwatch, eventbridge, s3
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as handlers  # noqa: N811 - MiniStack's private table, written to here

PROVISIONERS = "ministack.services.cloudformation.provisioners"
HOOKS = (
    f"{PROVISIONERS}:_RESOURCE_HANDLERS",
    "ministack.services.cloudformation:_stacks",
    "ministack.services.cloudformation:load_persisted_state",
    "ministack.services.budgets:_create_budget",
    "ministack.services.budgets:_delete_budget",
    "ministack.services.cloudwatch:_put_composite_alarm",
    "ministack.services.cloudwatch:_composite_alarms",
    "ministack.services.eventbridge:_create_archive",
    "ministack.services.eventbridge:_delete_archive",
    "ministack.services.s3:_bucket_tags",
)

# Type -> the attribute that Fn::GetAtt may name, and its value ({id}: the physical id, {arn}: an ARN made of it).
RECORDED = {
    "AWS::ApplicationAutoScaling::ScalableTarget": {"Id": "{id}"},
    "AWS::ApplicationAutoScaling::ScalingPolicy": {"PolicyARN": "{arn}", "Arn": "{arn}"},
    "AWS::Budgets::BudgetsAction": {"ActionId": "{id}"},
    "AWS::CE::AnomalyMonitor": {"MonitorArn": "{arn}"},
    "AWS::CE::AnomalySubscription": {"SubscriptionArn": "{arn}"},
    "AWS::CE::CostCategory": {"Arn": "{arn}"},
    "AWS::CloudWatch::AnomalyDetector": {"Id": "{id}"},
    "AWS::IAM::OIDCProvider": {"Arn": "{arn}"},
    "AWS::Logs::QueryDefinition": {"QueryDefinitionId": "{id}"},
    "AWS::Athena::NamedQuery": {"NamedQueryId": "{id}"},
}
# These exist and can be read back but have no effect: no money is spent here, and no log line is counted.
INERT = ("AWS::Budgets::Budget", "AWS::Logs::MetricFilter")

AFTER_A_KILL = {
    "CREATE_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}


def register() -> None:
    handlers.update(
        {kind: handler(recorder(kind), lambda physical_id: None) for kind in RECORDED if kind not in handlers}
    )
    handlers["AWS::Budgets::Budget"] = handler(
        create_budget, lambda name: answer(budgets._delete_budget({"AccountId": account(), "BudgetName": name}))
    )
    handlers["AWS::Events::Archive"] = handler(
        _provision_archive, lambda name: answer(eventbridge._delete_archive({"ArchiveName": name}))
    )
    handlers["AWS::CloudWatch::CompositeAlarm"] = handler(
        _create_composite_alarm, lambda name: cloudwatch._composite_alarms.pop(name, None)
    )
    handlers["AWS::S3::Bucket"] = _with_tags(handlers["AWS::S3::Bucket"])
    load = cloudformation.load_persisted_state

    def load_and_settle(saved):
        load(saved)
        settle(cloudformation._stacks._data.values())

    cloudformation.load_persisted_state = load_and_settle


def handler(create: Callable, delete: Callable) -> dict:
    """Make a provisioner of `create(logical_id, properties, stack) -> (physical id, attributes)`; an update
    replaces.
    """

    def update(physical_id, old, new, stack, logical_id=None):
        if new == old:
            return physical_id, {}
        delete(physical_id)
        return create(logical_id or physical_id, new, stack)

    return {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": lambda physical_id, properties: delete(physical_id),
    }


def _with_tags(bucket: dict) -> dict:
    """Provision buckets with their tags, which MiniStack drops."""

    def tag(reply: tuple, properties: dict) -> tuple:
        s3._bucket_tags[reply[0]] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}
        if not s3._bucket_tags[reply[0]]:
            del s3._bucket_tags[reply[0]]
        return reply

    return {
        **bucket,
        "create": lambda logical_id, properties, stack: tag(
            bucket["create"](logical_id, properties, stack), properties
        ),
        "update": lambda physical_id, old, new, *rest: tag(bucket["update"](physical_id, old, new, *rest), new),
    }


def recorder(kind: str) -> Callable:
    def create(logical_id: str, properties: dict, stack: str):
        physical_id = named(stack, logical_id)
        arn = (
            f"arn:aws:{kind.split('::')[1].lower()}:{region()}:{account()}:{kind.split('::')[2].lower()}/{physical_id}"
        )
        return physical_id, {name: form.format(id=physical_id, arn=arn) for name, form in RECORDED[kind].items()}

    return create


def create_budget(logical_id: str, properties: dict, stack: str):
    budget = {"BudgetName": named(stack, logical_id), **properties["Budget"]}
    if "BudgetLimit" in budget:
        budget["BudgetLimit"] = {name: str(value) for name, value in budget["BudgetLimit"].items()}
    notices = [
        {**notice, "Notification": {**notice["Notification"], "Threshold": float(notice["Notification"]["Threshold"])}}
        for notice in properties.get("NotificationsWithSubscribers", [])
    ]
    answer(budgets._create_budget({"AccountId": account(), "Budget": budget, "NotificationsWithSubscribers": notices}))
    return budget["BudgetName"], {}


def _provision_archive(logical_id: str, properties: dict, stack: str):
    name = properties.get("ArchiveName") or named(stack, logical_id)[-48:]
    request = {
        "ArchiveName": name,
        "EventSourceArn": properties["SourceArn"],
        "RetentionDays": int(properties.get("RetentionDays", 0)),
    }
    pattern = properties.get("EventPattern")
    if pattern:
        request["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return name, {"Arn": answer(eventbridge._create_archive(request))["ArchiveArn"], "ArchiveName": name}


def _create_composite_alarm(logical_id: str, properties: dict, stack: str):
    name = properties.get("AlarmName") or named(stack, logical_id)
    answer(cloudwatch._put_composite_alarm({}, {**properties, "AlarmName": name}, False, True))
    return name, {"Arn": f"arn:aws:cloudwatch:{region()}:{account()}:alarm:{name}"}


def named(stack: str, logical_id: str) -> str:
    """Return a physical name; its random end keeps a replacement from colliding with the resource it replaces."""
    return f"{stack}-{logical_id}-{secrets.token_hex(6)}"


def answer(reply: tuple) -> dict:
    status, _, body = reply
    content = json.loads(body or b"{}")
    if status >= 400:
        raise ValueError(content.get("message") or content.get("Message") or str(content))
    return content


def account() -> str:
    return get_account_id()


def region() -> str:
    return get_region()


def settle(stacks) -> None:
    """Set a stack whose deployment was killed to a state from which the next deployment can continue."""
    for stack in stacks:
        status = stack.get("StackStatus")
        if status in AFTER_A_KILL:
            stack.update(StackStatus=AFTER_A_KILL[status], StackStatusReason="the local AWS was killed during this")


def declared() -> list[dict]:
    """Return what live stacks declare and nothing simulates: [{stack, logical_id, type}]."""
    return [
        {"stack": stack["StackName"], "logical_id": logical_id, "type": resource["ResourceType"]}
        for stack in list(cloudformation._stacks._data.values())
        if stack.get("StackStatus") != "DELETE_COMPLETE"
        for logical_id, resource in sorted(stack.get("_resources", {}).items())
        if resource["ResourceType"] in (*RECORDED, *INERT)
    ]
