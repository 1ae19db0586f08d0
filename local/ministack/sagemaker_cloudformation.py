"""AWS::SageMaker::* in templates: models, endpoint configurations, endpoints and model package groups."""

import time

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners, stacks
from ministack.services.cloudformation.provisioners import _physical_name, _replace_resource

from local.sagemaker.errors import SageMakerError
from local.sagemaker.kinds import KINDS
from local.sagemaker.shapes import from_text, input_shape

HOOKS = (
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
    "ministack.services.cloudformation.provisioners:_physical_name",
    "ministack.services.cloudformation.provisioners:_replace_resource",
    "ministack.services.cloudformation.stacks:_runs_on_worker_thread",
)
PREFIX = "AWS::SageMaker::"
IN_SERVICE_TIMEOUT_S = 600
NAME_LENGTH = 63
# Properties of the type beyond its Create operation, which do not describe the resource.
NOT_IN_API = {"Endpoint": {"RetainDeploymentConfig", "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"}}


def register(call) -> None:
    for kind in ("Model", "EndpointConfig", "ModelPackageGroup", "Endpoint"):
        provisioners._RESOURCE_HANDLERS[PREFIX + kind] = handlers(kind, call)
    off_loop = stacks._runs_on_worker_thread

    def runs_on_worker_thread(resource_type: str) -> bool:
        """Run a provisioner on a thread: on the event loop it would wait for calls to S3 and EventBridge that the loop
        must serve.
        """
        return resource_type.startswith(PREFIX) or off_loop(resource_type)

    stacks._runs_on_worker_thread = runs_on_worker_thread


def handlers(kind: str, call) -> dict:
    """Return create, update and delete for one type, for MiniStack's table of resource types."""

    def create(logical_id, properties, stack_name):
        name = properties.get(f"{kind}Name") or _physical_name(stack_name, logical_id, max_len=NAME_LENGTH)
        request(call, f"Create{kind}", _as_request(kind, {**properties, f"{kind}Name": name}))
        if kind == "Endpoint":
            _wait_in_service(call, name)
        return identity(kind, name)

    def update(physical_id, old, new, stack_name, logical_id):
        name = physical_id.rpartition("/")[2]
        if kind == "Endpoint" and old.get("EndpointName") == new.get("EndpointName"):
            update_endpoint(call, name, old, new)
            return identity(kind, name)
        if _without_tags(old) == _without_tags(new):
            _retag(call, physical_id, old, new)
            return identity(kind, name)
        return replace(kind, physical_id, old, new, stack_name, logical_id)

    def delete(physical_id, properties):
        name = physical_id.rpartition("/")[2]
        try:
            call(f"Delete{kind}", {f"{kind}Name": name})
        except SageMakerError as error:
            if not any(words in error.message for words in ("Could not find", "does not exist")):
                raise ValueError(error.message) from error
        if kind == "Endpoint":
            _wait_gone(call, name)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def identity(kind: str, name: str) -> tuple[str, dict]:
    """Return Ref and GetAtt: these types' Ref is the ARN."""
    arn = f"arn:aws:sagemaker:{get_region()}:{get_account_id()}:{KINDS[kind].resource}/{name}"
    return arn, {f"{kind}Name": name, f"{kind}Arn": arn, "Id": arn}


def _as_request(kind: str, properties: dict) -> dict:
    """Convert the properties to the API's request; the API's own check refuses unknown ones."""
    kept = {name: value for name, value in properties.items() if name not in NOT_IN_API.get(kind, ())}
    return from_text(kept, input_shape(f"Create{kind}"))


def request(call, operation: str, arguments: dict) -> dict:
    """Send the request; CloudFormation reports a failure by its message."""
    try:
        return call(operation, arguments)
    except SageMakerError as error:
        raise ValueError(
            f"{error.message} (Service: SageMaker, Status Code: {error.status}, Error Code: {error.code})"
        ) from error


def replace(kind: str, physical_id: str, old: dict, new: dict, stack_name: str, logical_id: str):
    """Replace a resource, as these types cannot be changed in place: the old one is removed after the update
    succeeds.
    """
    return _replace_resource(PREFIX + kind, physical_id, old, new, stack_name, logical_id)


def update_endpoint(call, name: str, old: dict, new: dict) -> None:
    if new.get("EndpointConfigName") != old.get("EndpointConfigName"):
        config = new["EndpointConfigName"].rpartition("/")[2]
        request(call, "UpdateEndpoint", {"EndpointName": name, "EndpointConfigName": config})
        if _wait_in_service(call, name)["EndpointConfigName"] != config:
            raise ValueError(call("DescribeEndpoint", {"EndpointName": name}).get("FailureReason", "the update failed"))
    _retag(call, identity("Endpoint", name)[0], old, new)


def _retag(call, arn: str, old: dict, new: dict) -> None:
    gone = {tag["Key"] for tag in old.get("Tags", [])} - {tag["Key"] for tag in new.get("Tags", [])}
    if gone:
        request(call, "DeleteTags", {"ResourceArn": arn, "TagKeys": sorted(gone)})
    if new.get("Tags"):
        request(call, "AddTags", {"ResourceArn": arn, "Tags": new["Tags"]})


def _without_tags(properties: dict) -> dict:
    return {name: value for name, value in properties.items() if name != "Tags"}


def _wait_in_service(call, name: str) -> dict:
    deadline = time.monotonic() + IN_SERVICE_TIMEOUT_S
    while time.monotonic() < deadline:
        record = call("DescribeEndpoint", {"EndpointName": name})
        if record["EndpointStatus"] == "InService":
            return record
        if record["EndpointStatus"] == "Failed":
            raise ValueError(f"Endpoint {name} failed: {record.get('FailureReason')}")
        time.sleep(0.1)
    raise ValueError(f"Endpoint {name} was not InService within {IN_SERVICE_TIMEOUT_S} s")


def _wait_gone(call, name: str) -> None:
    while True:
        try:
            call("DescribeEndpoint", {"EndpointName": name})
        except SageMakerError:
            return
        time.sleep(0.1)
