"""The condition keys of identity policies: more of them filled, and a policy with one that nothing here fills is
refused.

A key that is never filled allows everything under `ForAllValues` and `IfExists` and denies everything elsewhere, so
that a wrong policy passes here and is AccessDenied on AWS, or the reverse.
"""

import json
from urllib.parse import parse_qs

from ministack.core import iam_actions, iam_evaluator
from ministack.core.iam_evaluator import _CONDITION_OPS
from ministack.services import sts
from ministack.services.cloudformation import provisioners

from local.ministack import autoscaling, leading_keys, sagemaker_iam

HOOKS = (
    "ministack.core.iam_actions:request_tag_context",
    "ministack.core.iam_evaluator:validate_policy_document",
    "ministack.core.iam_evaluator:_CONDITION_OPS",
    "ministack.core.iam_evaluator:_resolve_condition_key",
    "ministack.services.sts:validate_policy_document",
    "ministack.services.iam:store_policy",
    "ministack.services.cloudformation.provisioners:_iam_role_create",
    "ministack.services.cloudformation.provisioners:_RESOURCE_HANDLERS",
)

# keys that MiniStack resolves for every request
_EVERYWHERE = {
    *("aws:currenttime", "aws:epochtime", "aws:multifactorauthpresent", "aws:principalaccount", "aws:principalarn"),
    *("aws:principalorgid", "aws:principaltype", "aws:requestedregion", "aws:resourceaccount", "aws:securetransport"),
    *("aws:sourceip", "aws:tagkeys", "aws:tokenissuetime", "aws:userid", "aws:username", "s3:resourceaccount"),
}
# AWS leaves these out of a direct call from the internet too, and all calls here are such.
_RIGHTLY_ABSENT = {
    *("aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:sourceaccount", "aws:sourcearn"),
    *("aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "kms:viaservice"),
}
_BY_SERVICE = {
    *("dynamodb:attributes", "dynamodb:enclosingoperation", leading_keys.KEY.lower(), "dynamodb:select"),
    *("s3:delimiter", "s3:max-keys", "s3:prefix", "s3:x-amz-acl", "s3:x-amz-server-side-encryption"),
    *(f"s3:x-amz-grant-{right}" for right in ("full-control", "read", "read-acp", "write", "write-acp")),
    *("cloudwatch:namespace", "iam:awsservicename", "iam:passedtoservice", f"{autoscaling.NAME}:service-namespace"),
    *(key.lower() for key in sagemaker_iam.CONDITION_KEYS),
}
FILLED = _EVERYWHERE | _RIGHTLY_ABSENT | _BY_SERVICE
FILLED_BELOW = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "s3:existingobjecttag/")
_SET_OPERATORS = ("forallvalues:", "foranyvalue:")
# Requests that name what a policy may restrict: action -> (member of the request, condition key).
_MEMBERS = {
    "cloudwatch:PutMetricData": ("Namespace", "cloudwatch:namespace"),
    "iam:CreateServiceLinkedRole": ("AWSServiceName", "iam:AWSServiceName"),
}


def register() -> None:
    tags_of, validate = iam_actions.request_tag_context, iam_evaluator.validate_policy_document

    def request_context(service, action, body, params):
        return {**tags_of(service, action, body, params), **_named_in_request(service, action, body)}

    def validate_all(document):
        return validate(document) or next(iter([*_grammar_problems(document), *_condition_problems(document)]), None)

    iam_actions.request_tag_context = request_context
    iam_evaluator.validate_policy_document = sts.validate_policy_document = validate_all
    handlers = provisioners._RESOURCE_HANDLERS
    for kind, documents in (("AWS::IAM::Role", _inline), ("AWS::IAM::User", _inline), ("AWS::IAM::Group", _inline)):
        if kind in handlers:
            handlers[kind] = _refusing(handlers[kind], documents)
    handlers["AWS::IAM::ManagedPolicy"] = _refusing(handlers["AWS::IAM::ManagedPolicy"], _own)


def _named_in_request(service: str, action: str, body: bytes) -> dict:
    """Return the condition keys that follow from the request itself."""
    if service == autoscaling.NAME:
        return autoscaling.iam_context(body)
    member, key = _MEMBERS.get(action, ("", ""))
    value = _member(body or b"", member) if member else None
    return {key: value} if value else {}


def _member(body: bytes, name: str) -> str | None:
    if body.lstrip().startswith(b"{"):
        return sagemaker_iam.as_json(body).get(name)
    return parse_qs(body.decode("utf-8", "replace")).get(name, [None])[0]


def _grammar_problems(document: str | dict) -> list[str]:
    """Describe what an identity policy must not have: a Principal, an action without a service, a resource without an
    ARN.
    """
    found = []
    for statement in _statements(document):
        if "Principal" in statement or "NotPrincipal" in statement:
            found.append("Policy document should not specify a principal.")
        actions = _listed(statement.get("Action", statement.get("NotAction")))
        resources = _listed(statement.get("Resource", statement.get("NotResource")))
        found += [
            f"Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {action}"
            for action in actions
            if action != "*" and ":" not in action
        ]
        found += [
            f'Resource {resource} must be in ARN format or "*".'
            for resource in resources
            if not resource.startswith(("arn:", "*", "${"))
        ]
    return found


def _listed(value) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _statements(document: str | dict) -> list[dict]:
    policy = json.loads(document) if isinstance(document, str) else document
    return policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]


def _condition_problems(document: str | dict) -> list[str]:
    """Describe each operator that IAM does not have, and each key that nothing here fills."""
    conditions = [statement.get("Condition") or {} for statement in _statements(document)]
    return [
        problem
        for condition in conditions
        for operator, keys in condition.items()
        for problem in [*_operator_problems(operator), *(_key_problems(keys) if isinstance(keys, dict) else [])]
    ]


def _operator_problems(operator: str) -> list[str]:
    name = operator.lower().removesuffix("ifexists")
    for prefix in _SET_OPERATORS:
        name = name.removeprefix(prefix)
    return (
        []
        if name == "null" or name in _CONDITION_OPS
        else [f"Syntax errors in policy: invalid condition operator {operator}"]
    )


def _key_problems(keys: dict) -> list[str]:
    return [
        f"condition key {key}: nothing in the local AWS fills it, so the statement would not be tested; leave it out "
        "here, or keep it for stages on real AWS"
        for key in keys
        if key.lower() not in FILLED and not key.lower().startswith(FILLED_BELOW)
    ]


def _inline(properties: dict) -> list:
    return [policy.get("PolicyDocument") for policy in properties.get("Policies") or []]


def _own(properties: dict) -> list:
    return [properties.get("PolicyDocument")]


def _refusing(handler: dict, documents) -> dict:
    """Return a provisioner that stores policies without MiniStack's own check, but with ours."""
    from ministack.core.iam_evaluator import validate_policy_document  # lazy: a plugin replaces it while it registers

    def check(properties: dict) -> None:
        problems = [problem for document in documents(properties) if (problem := validate_policy_document(document))]
        if problems:
            raise ValueError(f"MalformedPolicyDocument: {'; '.join(problems)}")

    def create(logical_id, properties, *rest):
        check(properties)
        return handler["create"](logical_id, properties, *rest)

    def update(physical_id, old, new, *rest, **named):
        check(new)
        return handler["update"](physical_id, old, new, *rest, **named)

    return {**handler, "create": create, **({"update": update} if "update" in handler else {})}
