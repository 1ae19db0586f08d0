"""`fairway releases`, `fairway promote` and `fairway rollback`: every release, and which of them answers."""

from datetime import UTC, datetime
from pathlib import Path

from domain import records as items
from domain.contract.schema import iso
from domain.release import routing as rules
from fairway.commands.status import with_roles
from fairway.stage import executions, records
from fairway.stage.aws import Stage, connect
from fairway.stage.deployment import WHEN, model_package, wait_until_champion
from fairway.terminal.done import Done, table
from fairway.terminal.errors import Failed, Refused


def releases(folder: Path, stage_name: str) -> Done:
    stage = connect(folder, stage_name)
    found = records.releases(stage)
    roles = with_roles(found, records.routing(stage))
    metric = stage.config.benchmarks.metric
    kept = ("run", "candidate", "as_of", "metrics", "artefact_sha256", "reason", "created_at")
    values = {
        "stage": stage_name,
        "releases": [{**role, **{key: item.get(key) for key in kept}} for role, item in zip(roles, found, strict=True)],
    }
    rows = [
        (
            one["release"],
            one["state"],
            one["role"] or "-",
            f"{one['metrics'][metric]:.4f}" if one["metrics"] else "-",
            one["reason"],
        )
        for one in values["releases"]
    ]
    lines = table(rows, ("release", "state", "role", metric, "why")) if rows else ["no release yet"]
    return Done(values, lines, next_step(values["releases"]))


def next_step(found: list[dict]) -> str:
    if not found:
        return "`fairway train` makes the first release"
    if any(one["role"] != "champion" and one["state"] != "rejected" for one in found):
        return "`fairway promote RELEASE` lets another one answer"
    return "`fairway load FILE...` and `fairway train` may lead to a better one"


def promote(folder: Path, stage_name: str, release: str, *, progress) -> Done:
    stage = connect(folder, stage_name)
    item = records.release(stage, release)
    if item is None:
        raise Refused("no_release", f"release {release!r} is not there; `fairway releases` lists those that are")
    if item["state"] == "rejected":
        raise Refused(
            "rejected", f"release {release!r} was rejected and is not released: {item['reason']}; train again"
        )
    before = rules.champion(records.routing(stage))
    if before and before["release"] == release:
        raise Refused("routing", f"release {release!r} is the champion already; nothing to do")
    bring_up(stage, item, progress=progress)
    return settled(stage, before, f"{release} is champion: {WHEN}", "`fairway rollback` takes it back")


def bring_up(stage: Stage, item: dict, *, progress) -> None:
    """Approve it, switch to it, or deploy it: whatever stands between the release and its answering."""
    release = item["release"]
    if item["state"] == "waiting":
        progress(f"Approving {release}")
        approve(stage, release)
        wait_until_champion(stage, release, progress=progress)
    elif is_up(stage, release):
        progress(f"Switching to {release}")
        change = {"release": release, "endpoint": endpoint(stage, release), "reason": "promoted by hand"}
        switch(stage, lambda routing, at: rules.promote(routing, at=at, **change))
    else:
        wait_until_champion(stage, release, execution=deploy(stage, item), progress=progress)


def rollback(folder: Path, stage_name: str, *, progress) -> Done:
    stage = connect(folder, stage_name)
    routing = records.routing(stage)
    before = rules.champion(routing)
    rules.rollback(routing, at="", reason="")  # refuses here when there is nothing to go back to
    release = go_back(stage, routing, reason="rolled back by hand", progress=progress)
    return settled(stage, before, f"{release} is champion again: {WHEN}", "`fairway status` shows who answers")


def go_back(stage: Stage, routing: dict, *, reason: str, progress) -> str:
    """Let the champion before this one answer; returns its name. One whose endpoint was removed meanwhile is deployed."""
    release = routing["previous"][0]["release"]
    if is_up(stage, release):
        progress(f"Switching back to {release}")
        switch(stage, lambda now, at: rules.rollback(now, at=at, reason=reason))
    else:
        wait_until_champion(stage, release, execution=deploy(stage, records.release(stage, release)), progress=progress)
    return release


def approve(stage: Stage, release: str) -> None:
    """The registry's own approval: it begins the deployment, as a click in the console would."""
    stage.client("sagemaker").update_model_package(
        ModelPackageArn=model_package(stage, release),
        ModelApprovalStatus="Approved",
        ApprovalDescription="fairway promote",
    )


def endpoint(stage: Stage, release: str) -> str:
    return f"{stage.addresses['endpoint_prefix']}{release}"


def is_up(stage: Stage, release: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = stage.client("sagemaker").describe_endpoint(EndpointName=endpoint(stage, release))
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return False
        raise
    return found["EndpointStatus"] == "InService"


def deploy(stage: Stage, item: dict) -> str:
    """ARN of the deployment of the release: a new one, or the one that is still on its way to its first promotion."""
    states, machine = stage.client("stepfunctions"), stage.addresses["release"]
    package = model_package(stage, item["release"])
    if item["state"] in ("approved", "deploying"):
        for going in executions.running(states, machine):
            if going["input"].get("model_package_arn") == package:
                return going["arn"]
    values = {"model_package_arn": package, "release": item["release"]}
    return executions.start(states, machine, name=executions.unique(item["release"]), values=values)


def switch(stage: Stage, change) -> None:
    """One conditional write: it holds only if nobody changed the routing since it was read."""
    routing = change(records.routing(stage), iso(datetime.now(UTC)))
    dynamodb, name = stage.client("dynamodb"), stage.addresses["routing"]
    try:
        dynamodb.put_item(
            TableName=name,
            Item=items.to_item({**routing, "item": items.ROUTING}),
            ConditionExpression="attribute_not_exists(#item) OR #version = :read",
            ExpressionAttributeNames={"#item": "item", "#version": "version"},
            ExpressionAttributeValues={":read": {"N": str(routing["version"] - 1)}},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        message = "somebody else changed the routing just now; see `fairway status`, then try again"
        raise Failed("routing_changed", message) from None


def settled(stage: Stage, before: dict | None, said: str, following: str) -> Done:
    """Mark the releases as the routing now has them, and tell."""
    routing = records.routing(stage)
    champion = rules.champion(routing)
    mark(stage, champion["release"], state="champion", promoted_at=champion["since"])
    if before and before["release"] != champion["release"]:
        mark(stage, before["release"], state="previous")
    values = {
        "stage": stage.config.stage,
        "champion": champion["release"],
        "previous": before["release"] if before else None,
        "reason": routing["reason"],
    }
    return Done(values, [said], following)


def mark(stage: Stage, release: str, **values) -> None:
    stage.client("dynamodb").update_item(
        TableName=stage.addresses["routing"],
        Key=items.release_key(release),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={"#item": "item", **{f"#{name}": name for name in values}},
        ExpressionAttributeValues=items.to_item({f":{name}": value for name, value in values.items()}),
        ConditionExpression="attribute_exists(#item)",
    )
