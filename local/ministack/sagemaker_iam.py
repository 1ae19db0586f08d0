"""Permissions in SageMaker: actions and ARNs for MiniStack's IAM, role sessions for jobs, and iam:PassRole."""

import json
import re
from urllib.parse import unquote

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import iam

from local.sagemaker.errors import SageMakerError
from local.sagemaker.kinds import KINDS

HOOKS = (
    "ministack.core.iam_actions:SERVICE_TO_IAM_NAMESPACE",
    "ministack.core.iam_actions:extract_iam_action",
    "ministack.core.iam_actions:extract_resource_arn",
    "ministack.core.iam_actions:request_tag_context",
    "ministack.core.iam_evaluator:enforce",
    "ministack.core.lambda_runtime:execution_credentials",
    "ministack.services.iam:_roles",
    "ministack.app:AUTH",
)
NAME = "sagemaker"
RUNTIME_ACTIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
PRINCIPAL = "sagemaker.amazonaws.com"
# Condition key -> the member of a request that fills it, at any depth.
CONDITION_KEYS = {
    "sagemaker:InstanceTypes": "InstanceType",
    "sagemaker:InterContainerTrafficEncryption": "EnableInterContainerTrafficEncryption",
    "sagemaker:MaxRuntimeInSeconds": "MaxRuntimeInSeconds",
    "sagemaker:NetworkIsolation": "EnableNetworkIsolation",
    "sagemaker:OutputKmsKey": "KmsKeyId",
    "sagemaker:VolumeKmsKey": "VolumeKmsKeyId",
    "sagemaker:VpcSecurityGroupIds": "SecurityGroupIds",
    "sagemaker:VpcSubnets": "Subnets",
}


def register(current_engine) -> None:
    """Add the actions and resources of SageMaker to MiniStack's IAM."""
    action_of, arn_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def extract_iam_action(service, method, path, headers, body, query_params):
        if service == NAME and path.startswith("/endpoints/"):
            return f"sagemaker:{RUNTIME_ACTIONS.get(path.rpartition('/')[2], 'InvokeEndpoint')}"
        return action_of(service, method, path, headers, body, query_params)

    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        if service != NAME:
            return arn_of(service, method, path, headers, body, query_params, region, account_id)
        if path.startswith("/endpoints/"):
            return f"arn:aws:sagemaker:{region}:{account_id}:endpoint/{unquote(path).split('/')[2]}"
        return resource_of(headers.get("x-amz-target", "").rpartition(".")[2], as_json(body), region, account_id)

    tags_of_request = iam_actions.request_tag_context

    def request_tag_context(service, iam_action, body, params):
        found = tags_of_request(service, iam_action, body, params)
        if service != NAME:
            return found
        return {**found, **_resource_tags(current_engine(), iam_action, body), **_request_keys(as_json(body))}

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = extract_iam_action, extract_resource_arn
    iam_actions.request_tag_context = request_tag_context


def _request_keys(request: dict) -> dict[str, list[str]]:
    """Return SageMaker's own condition keys that a request fills."""
    values: dict[str, list[str]] = {}
    for name, value in _leaves(request):
        values.setdefault(name, []).append(str(value).lower() if isinstance(value, bool) else str(value))
    return {key: values[member] for key, member in CONDITION_KEYS.items() if member in values}


def _leaves(value: object, name: str = ""):
    """Yield (name of the innermost member, value) of every value that is not a structure or list."""
    if isinstance(value, dict):
        for member, inner in value.items():
            yield from _leaves(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _tag_keys(request: dict) -> dict:
    """Return the condition keys of the tags that a request sets."""
    tags = request.get("Tags") or []
    return {
        "aws:TagKeys": [tag["Key"] for tag in tags],
        **{f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags},
    }


def _resource_tags(engine, iam_action: str, body: bytes) -> dict[str, str]:
    """Return the condition keys aws:ResourceTag/... of a request's resource; none if it does not exist."""
    arn = resource_of(iam_action.partition(":")[2], as_json(body), get_region(), get_account_id())
    return {f"aws:ResourceTag/{key}": value for key, value in engine.store.tags(arn).items()}


def as_json(body) -> dict:
    try:
        value = json.loads(body or b"{}")
        return value if isinstance(value, dict) else {}
    except ValueError:
        return {}


def resource_of(operation: str, request: dict, region: str, account: str) -> str:
    """Return the ARN on which an operation is authorised, or `*` if IAM has none."""
    if operation.endswith("Tags"):
        return request.get("ResourceArn", "*")
    kind = re.sub("^(Create|Describe|Delete|Update|Stop)", "", operation).removesuffix("WeightsAndCapacities")
    name = request.get(f"{kind}Name") or request.get(f"{kind}Arn")
    if kind == "ModelPackage" and not name:
        kind, name = "ModelPackageGroup", request.get("ModelPackageGroupName")
    if operation.startswith("List") or kind not in KINDS or not name:
        return "*"
    return name if name.startswith("arn:") else f"arn:aws:sagemaker:{region}:{account}:{KINDS[kind].resource}/{name}"


def checks(operation: str, request: dict) -> list[tuple[str, str, str, dict]]:
    """Return (service, action, ARN, condition keys) of all that an operation needs; MiniStack checks the first
    itself.
    """
    arn = resource_of(operation, request, get_region(), get_account_id())
    tags = _tag_keys(request) if request.get("Tags") else {}
    keys = {**_request_keys(request), **tags}
    found = [(NAME, f"sagemaker:{operation}", arn, keys)]
    found += [(NAME, f"sagemaker:{operation}", further, keys) for further in _further_resources(operation, request)]
    if operation.startswith("Create") and tags:
        found.append((NAME, "sagemaker:AddTags", arn, tags))
    return found + [
        ("iam", "iam:PassRole", request[member], {"iam:PassedToService": PRINCIPAL})
        for member in ("RoleArn", "ExecutionRoleArn")
        if isinstance(request.get(member), str)
    ]


def _further_resources(operation: str, request: dict) -> list[str]:
    """Return further resources: an endpoint is authorised with its configuration, a model package with its group."""
    if operation in ("CreateEndpoint", "UpdateEndpoint") and "EndpointConfigName" in request:
        return [resource_of("CreateEndpointConfig", request, get_region(), get_account_id())]
    if operation == "CreateModelPackage" and "ModelPackageGroupName" in request:
        group = resource_of(operation, request, get_region(), get_account_id())
        return [group.replace(":model-package-group/", ":model-package/") + "/1"]
    return []


def sync_checks(kind: str, name: str) -> list[tuple[str, str, str, dict]]:
    """Return what Step Functions needs besides Create to wait for a job: describe, stop, and its EventBridge rule."""
    arn = resource_of(f"Stop{kind}", {f"{kind}Name": name}, get_region(), get_account_id())
    rule = (
        f"arn:aws:events:{get_region()}:{get_account_id()}:rule/StepFunctionsGetEventsForSageMaker"
        f"{kind.removesuffix('Job')}JobsRule"
    )
    return [
        *((NAME, f"sagemaker:{action}{kind}", arn, {}) for action in ("Describe", "Stop")),
        *(("events", f"events:{action}", rule, {}) for action in ("PutTargets", "PutRule", "DescribeRule")),
    ]


def check_passed(operation: str, request: dict, headers: dict) -> None:
    """Check what MiniStack's own check leaves out: further resources and the passed role."""
    if app.AUTH and operation.startswith(("Create", "Update")):
        enforce(extract_access_key_id(headers, {}), checks(operation, request)[1:])


def enforce(access_key: str, needed: list[tuple[str, str, str, dict]]) -> None:
    """Raise AccessDeniedException, in SageMaker's words, for the first thing that the caller may not do."""
    from ministack.core.iam_evaluator import enforce as denial_of  # lazy: a plugin replaces it while it registers

    for service, action, arn, context in needed:
        denied = denial_of(access_key, action, service, get_region(), resource_arn=arn, service_context=context)
        if denied:
            raise SageMakerError(
                "AccessDeniedException",
                f"User: {getattr(denied, 'principal_arn', access_key)} is not authorized to "
                f"perform: {action} on resource: {arn} because no identity-based policy allows the {action} action",
            )


def enforce_as_role(role_arn: str, session: str, needed: list[tuple[str, str, str, dict]]) -> None:
    """Check the same for Step Functions with a state machine's role."""
    if app.AUTH:
        enforce(role_session(role_arn, session)["AWS_ACCESS_KEY_ID"], needed)


def role_session(role_arn: str, session: str) -> dict[str, str]:
    """Return credentials of a role session; the account's own if IAM is not enforced."""
    arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{session}"
    return lambda_runtime.execution_credentials({"FunctionArn": arn, "FunctionName": session, "Role": role_arn})


def role_problem(role_arn: str) -> str | None:
    """Return why SageMaker may not assume a role; only with IAM enforced."""
    if not app.AUTH:
        return None
    role = iam._roles.get(role_arn.rpartition("/")[2])
    if role is None:
        return "the role does not exist"
    trust = role.get("AssumeRolePolicyDocument", "")
    trusted = PRINCIPAL in (trust if isinstance(trust, str) else json.dumps(trust))
    return None if trusted else "its trust policy does not allow it"
