"""Check the Resource of a Task: a function, an activity, an optimised integration or an operation of the SDK."""

import functools
import re

import botocore.session

REQUEST, SYNC, SYNC2, TOKEN = "", ".sync", ".sync:2", ".waitForTaskToken"
_JOB = (REQUEST, SYNC)
# Integrations that Step Functions documents as optimised: action -> patterns.
OPTIMISED: dict[str, tuple[str, ...]] = {
    "lambda:invoke": (REQUEST, TOKEN),
    "sns:publish": (REQUEST, TOKEN),
    "sqs:sendMessage": (REQUEST, TOKEN),
    "events:putEvents": (REQUEST, TOKEN),
    "states:startExecution": (REQUEST, SYNC, SYNC2, TOKEN),
    **{f"dynamodb:{action}Item": (REQUEST,) for action in ("get", "put", "update", "delete")},
    **{
        f"sagemaker:create{kind}Job": _JOB
        for kind in ("Training", "Transform", "Processing", "HyperParameterTuning", "Labeling")
    },
    **{
        f"sagemaker:{action}": (REQUEST,)
        for action in ("createModel", "createEndpoint", "createEndpointConfig", "updateEndpoint")
    },
    "batch:submitJob": (REQUEST, SYNC, TOKEN),
    "ecs:runTask": (REQUEST, SYNC, TOKEN),
    "glue:startJobRun": _JOB,
    "databrew:startJobRun": _JOB,
    "athena:startQueryExecution": _JOB,
    **{f"athena:{action}": (REQUEST,) for action in ("getQueryExecution", "getQueryResults", "stopQueryExecution")},
    "codebuild:startBuild": _JOB,
    "codebuild:startBuildBatch": _JOB,
    "apigateway:invoke": (REQUEST, TOKEN),
    "http:invoke": (REQUEST,),
    "bedrock:invokeModel": (REQUEST,),
    "bedrock:createModelCustomizationJob": _JOB,
    "mediaconvert:createJob": _JOB,
}
# Names in the SDK for Java that are not botocore's without hyphens.
_SDK_NAMES = {
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "costexplorer": "ce",
    "elasticloadbalancingv2": "elbv2",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "databasemigration": "dms",
}
_ARN = re.compile(
    r"arn:aws[\w-]*:(lambda:[\w-]*:\d{12}:function:[\w-]+(:[\w$-]+)?|states:[\w-]*:\d{12}:activity:[\w.-]+)"
)


def problem(resource: object, *, express: bool) -> str | None:
    """Return why a Resource is invalid, or invalid in an EXPRESS machine."""
    if not isinstance(resource, str):
        return f"The resource provided {resource} is not recognized"
    if _ARN.fullmatch(resource):
        return "Express state machines do not support Activity ARN" if express and ":activity:" in resource else None
    integration = re.fullmatch(r"arn:aws[\w-]*:states:[\w-]*:(\d{12})?:(.+)", resource)
    if not integration:
        return f"The resource provided {resource} is not recognized. The value is not a valid resource ARN"
    called, pattern = _split(integration[2])
    if express and pattern != REQUEST:
        return f"Express state machine does not support '{pattern.lstrip('.')}' service integration"
    known = (
        pattern in (REQUEST, TOKEN) and _is_of_sdk(called)
        if called.startswith("aws-sdk:")
        else _is_optimised(called, pattern)
    )
    return None if known else f"The resource provided {resource} is not recognized"


def _split(integration: str) -> tuple[str, str]:
    for pattern in (SYNC2, SYNC, TOKEN):
        if integration.endswith(pattern):
            return integration.removesuffix(pattern), pattern
    return integration, REQUEST


def _is_optimised(called: str, pattern: str) -> bool:
    cluster = called.startswith(
        ("elasticmapreduce:", "emr-containers:", "emr-serverless:", "eks:")
    )  # dozens of actions
    return pattern in OPTIMISED.get(called, ()) or (cluster and pattern != SYNC2)


def _is_of_sdk(called: str) -> bool:
    _, service, action = (*called.split(":"), "")[:3]
    return action[:1].islower() and action.lower() in _operations(service)


@functools.cache
def _operations(service: str) -> frozenset[str]:
    """Return the operations of a service in the SDK, in lower case: Java writes `describeDbInstances`."""
    session = botocore.session.get_session()
    names = {name.replace("-", ""): name for name in session.get_available_services()}
    name = _SDK_NAMES.get(service, names.get(service, ""))
    return frozenset(map(str.lower, session.get_service_model(name).operation_names)) if name else frozenset()
