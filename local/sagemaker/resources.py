"""What all kinds of resource share: create with tags, describe, list with filters and pages, delete, tag."""

import base64
import binascii
import json
import time

from local.sagemaker.engine import Engine
from local.sagemaker.errors import SageMakerError, invalid, refuse
from local.sagemaker.kinds import JOBS, KINDS
from local.sagemaker.shapes import in_milliseconds, pick, service

DEFAULT_PAGE = 10
OLDEST_FIRST = ("TrainingJob", "ProcessingJob", "ModelPackage", "ModelPackageGroup")
# How a List operation's filters read a record: request member -> (record member, comparison)
TIME_FILTERS = {
    "CreationTimeAfter": ("CreationTime", 1),
    "CreationTimeBefore": ("CreationTime", -1),
    "LastModifiedTimeAfter": ("LastModifiedTime", 1),
    "LastModifiedTimeBefore": ("LastModifiedTime", -1),
}
EQUALITY_FILTERS = ("ModelApprovalStatus", "ModelPackageGroupName")


def create(engine: Engine, kind: str, request: dict, **more) -> dict:
    """Store a new resource; its record is what Describe answers, so it has nothing else."""
    name = request[f"{kind}Name"]
    arn = engine.arn(kind, name)
    record = {
        **{member: value for member, value in request.items() if member != "Tags"},
        f"{kind}Arn": arn,
        "CreationTime": time.time(),
        **more,
    }
    if not engine.store.add(kind, name, record):
        raise _already_exists(kind, arn)
    engine.store.tag(arn, tag_map(request))
    return record


def _already_exists(kind: str, arn: str) -> SageMakerError:
    if kind in JOBS:
        words = KINDS[kind].words
        return SageMakerError(
            "ResourceInUse",
            f"{words.capitalize()} names must be unique within an AWS account and "
            f"region, and a {words} with this name already exists ({arn})",
        )
    return invalid(f'Cannot create already existing {KINDS[kind].words} "{arn}".')


def need(engine: Engine, kind: str, name: str) -> dict:
    """Return the record of a resource that the request needs."""
    record = engine.store.get(kind, name)
    if record is None:
        raise not_found(engine, kind, name)
    return record


def not_found(engine: Engine, kind: str, name: str) -> SageMakerError:
    if kind == "ProcessingJob":
        return invalid(f"Could not find requested job with name: {name}")
    if kind in JOBS:
        return invalid("Requested resource not found.")
    return invalid(f'Could not find {KINDS[kind].words} "{engine.arn(kind, name)}".')


def describe(engine: Engine, kind: str, request: dict) -> dict:
    return pick(f"Describe{kind}", need(engine, kind, request[f"{kind}Name"]))


def delete(engine: Engine, kind: str, request: dict) -> dict:
    record = need(engine, kind, request[f"{kind}Name"])
    engine.store.remove(kind, request[f"{kind}Name"])
    engine.store.untag(record[f"{kind}Arn"], list(engine.store.tags(record[f"{kind}Arn"])))
    return {}


def list_page(engine: Engine, kind: str, request: dict) -> dict:
    """Return one page of summaries, filtered and sorted as requested; by default in the order of the kind."""
    refuse(request, ("WarmPoolStatusEquals", "TrainingPlanArnEquals", "CrossAccountFilterOption"), f"List{kind}s")
    records = [record for record in engine.store.all(kind) if matches(kind, record, request)]
    sort_by = {"Name": f"{kind}Name", "Status": f"{kind}Status"}.get(str(request.get("SortBy")), "CreationTime")
    records.sort(
        key=lambda record: (record.get(sort_by, ""), record[f"{kind}Arn"]),
        reverse=request.get("SortOrder", "Ascending" if kind in OLDEST_FIRST else "Descending") == "Descending",
    )
    start = _read_token(request.get("NextToken"))
    end = start + request.get("MaxResults", DEFAULT_PAGE)
    page = {KINDS[kind].summaries: [pick(KINDS[kind].summary, record) for record in records[start:end]]}
    return page if end >= len(records) else {**page, "NextToken": _make_token(end)}


def matches(kind: str, record: dict, request: dict) -> bool:
    for member, (of, direction) in TIME_FILTERS.items():
        if member in request and (record.get(of, 0) - request[member]) * direction < 0:
            return False
    for member in EQUALITY_FILTERS:
        if member in request and record.get(member) != request[member]:
            return False
    return request.get("NameContains", "").lower() in record.get(f"{kind}Name", "").lower() and request.get(
        "StatusEquals", record.get(f"{kind}Status")
    ) == record.get(f"{kind}Status")


def _make_token(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"from": position}).encode()).decode()


def _read_token(token: str | None) -> int:
    try:
        return json.loads(base64.urlsafe_b64decode(token))["from"] if token else 0
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise invalid(f"Invalid NextToken {token!r}. Give the NextToken of the previous page.") from None


def tag_map(request: dict) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}


def _tag_list(tags: dict[str, str]) -> list[dict]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def add_tags(engine: Engine, request: dict) -> dict:
    _need_arn(engine, request["ResourceArn"])
    engine.store.tag(request["ResourceArn"], tag_map(request))
    return {"Tags": _tag_list(engine.store.tags(request["ResourceArn"]))}


def list_tags(engine: Engine, request: dict) -> dict:
    _need_arn(engine, request["ResourceArn"])
    return {"Tags": _tag_list(engine.store.tags(request["ResourceArn"]))}


def delete_tags(engine: Engine, request: dict) -> dict:
    _need_arn(engine, request["ResourceArn"])
    engine.store.untag(request["ResourceArn"], request["TagKeys"])
    return {}


def _need_arn(engine: Engine, arn: str) -> None:
    """Refuse an ARN that names nothing here."""
    kinds = {kind.resource: name for name, kind in KINDS.items()}
    kind = kinds.get(arn.rpartition(":")[2].partition("/")[0])
    if kind is None or not any(record[f"{kind}Arn"] == arn for record in engine.store.all(kind)):
        raise invalid(f"The resource {arn} does not exist.")


def announce(engine: Engine, kind: str, record: dict, **more) -> None:
    """Send a state-change event to EventBridge, in the shape of Describe, with times in milliseconds."""
    shape = service().operation_model(f"Describe{kind}").output_shape
    detail = in_milliseconds(pick(f"Describe{kind}", record), shape)
    title = {"EndpointConfig": "Endpoint Config", "ModelPackage": "Model Package"}.get(kind, KINDS[kind].words.title())
    tags = engine.store.tags(record[f"{kind}Arn"])
    engine.cloud.emit(f"SageMaker {title} State Change", {**detail, "Tags": tags, **more}, [record[f"{kind}Arn"]])
