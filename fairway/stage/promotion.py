"""Make a release answer: its approval, its deployment, and the one write that switches to it."""

from collections.abc import Callable
from datetime import UTC, datetime

from domain import records as items
from domain.release import routing as rules
from domain.release.routing import Routing
from domain.release.state import ReleaseItem, ReleaseState
from domain.timestamps import iso
from fairway.stage import executions, records
from fairway.stage.aws import Stage
from fairway.stage.deployment import model_package, wait_until_it_answers
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress


def bring_up(stage: Stage, item: ReleaseItem, *, progress: Progress) -> bool:
    """Approve the release, switch to it, or deploy it, whichever it needs.

    Returns whether it is champion; if not, its rollout has begun.
    """
    release = item["release"]
    if item["state"] == "waiting":
        progress(f"Approving {release}")
        approve(stage, release)
        return wait_until_it_answers(stage, release, progress=progress)
    if is_up(stage, item):
        progress(f"Switching to {release}")
        endpoint, reason = _endpoint(stage, release), "promoted by hand"
        switch(stage, lambda now, at: rules.promote(now, release=release, endpoint=endpoint, at=at, reason=reason))
        return True
    return wait_until_it_answers(stage, release, execution=deploy(stage, item), progress=progress)


def repair(stage: Stage, item: ReleaseItem, *, progress: Progress) -> None:
    """Deploy the champion again if its endpoint is missing; the fallback answers meanwhile."""
    release = item["release"]

    def is_repaired() -> bool:
        return (records.release(stage, release) or {}).get("state") == ReleaseState.CHAMPION and is_up(stage, item)

    progress(f"{release} is champion and its endpoint is missing; deploying it again")
    executions.follow(stage, deploy(stage, item), progress=progress, until=is_repaired)


def go_back(stage: Stage, routing: Routing, *, reason: str, progress: Progress) -> str:
    """Let the previous champion answer again and return its name; deploy it if its endpoint was removed."""
    release = routing["previous"][0]["release"]
    item = records.release(stage, release)
    assert item is not None, "every champion has an item, which nothing removes"
    current = routing["champion"]
    is_itself = current is not None and current["release"] == release  # at another threshold, so it is up
    if is_itself or is_up(stage, item):
        progress(f"Switching back to {release}")
        switch(stage, lambda now, at: rules.rollback(now, at=at, reason=reason))
    else:
        wait_until_it_answers(stage, release, execution=deploy(stage, item), progress=progress)
    return release


def approve(stage: Stage, release: str) -> None:
    """The registry's own approval: it begins the deployment, as a click in the console would."""
    stage.client("sagemaker").update_model_package(
        ModelPackageArn=model_package(stage, release),
        ModelApprovalStatus="Approved",
        ApprovalDescription="fairway promote",
    )


def _endpoint(stage: Stage, release: str) -> str:
    return f"{stage.addresses['endpoint_prefix']}{release}"


def is_up(stage: Stage, item: ReleaseItem) -> bool:
    """Return whether the release can answer at once: its endpoint is in service, or functions have answered with it."""
    if stage.config.serving.mode == "function":
        return item["state"] in (ReleaseState.CHAMPION, ReleaseState.PREVIOUS)
    from botocore.exceptions import ClientError  # only commands that call AWS load botocore

    try:
        found = stage.client("sagemaker").describe_endpoint(EndpointName=_endpoint(stage, item["release"]))
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return False
        raise
    return found["EndpointStatus"] == "InService"


def deploy(stage: Stage, item: ReleaseItem) -> str:
    """Return the ARN of the release's deployment: a new one, or the one that is still running before its first
    promotion.
    """
    states, machine = stage.client("stepfunctions"), stage.addresses["release"]
    package = model_package(stage, item["release"])
    if item["state"] in (ReleaseState.APPROVED, ReleaseState.DEPLOYING, ReleaseState.CANARY):
        for going in executions.running(states, machine):
            if going["input"].get("model_package_arn") == package:
                return going["arn"]
    values = {"model_package_arn": package, "release": item["release"]}
    return executions.start(states, machine, name=executions.unique(item["release"]), values=values)


def switch(stage: Stage, change: Callable[[Routing, str], Routing]) -> None:
    """Switch with one conditional write, which holds only if the routing was not changed since it was read."""
    routing = change(records.routing(stage), iso(datetime.now(UTC)))
    dynamodb, name = stage.client("dynamodb"), stage.addresses["routing"]
    try:
        dynamodb.put_item(TableName=name, **items.routing_write(routing))
    except dynamodb.exceptions.ConditionalCheckFailedException:
        message = "somebody else changed the routing just now; see `fairway status`, then try again"
        raise Failed("routing_changed", message) from None


def mark(stage: Stage, release: str, **values: str) -> None:
    """Set attributes of the release's item, which must exist."""
    stage.client("dynamodb").update_item(
        TableName=stage.addresses["routing"],
        Key=items.release_key(release),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={"#item": "item", **{f"#{name}": name for name in values}},
        ExpressionAttributeValues=items.to_item({f":{name}": value for name, value in values.items()}),
        ConditionExpression="attribute_exists(#item)",
    )
