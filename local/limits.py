"""Limits of services that neither botocore's models nor the registry's schemas have. Pure: parameters in, problems out.

A resource's properties in CloudFormation have the names of the request's members, so one check serves both.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from domain import schedules
from local import event_sources

Check = Callable[[dict[str, Any]], Iterator[str]]
UNCONFIGURED = "Lambda was unable to configure your environment variables"
BLOCKED_RUNTIMES = frozenset(
    {
        *("python2.7", "python3.6", "python3.7", "nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x"),
        *("nodejs12.x", "nodejs14.x", "dotnetcore2.1", "dotnetcore3.1", "ruby2.5", "ruby2.7", "go1.x", "java8"),
    }
)
LONGEST_VISIBILITY_S = 43_200
LONGEST_FUNCTION_S, LARGEST_MB, LARGEST_ENVIRONMENT = 900, 10_240, 4096
RESERVED = re.compile(
    r"AWS_(REGION|DEFAULT_REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|EXECUTION_ENV|LAMBDA_.+)|_HANDLER|LAMBDA_(TASK_ROOT|RUNTIME_DIR)"
)
LARGEST_EVENTS, LARGEST_LOG_BATCH = 1024 * 1024, 1024 * 1024
PROTOCOLS = ("application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs")
SHORT_PERIODS_S = (10, 20, 30)
DAY_S = 86_400
METHODS = "ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"


def function_problems(request: dict[str, Any]) -> Iterator[str]:
    timeout_s = _number(request.get("Timeout"))
    if timeout_s is not None and not 1 <= timeout_s <= LONGEST_FUNCTION_S:
        yield (
            f"Value '{request['Timeout']}' at 'timeout' failed to satisfy constraint: Member must have value "
            f"less than or equal to {LONGEST_FUNCTION_S}"
        )
    variables = (request.get("Environment") or {}).get("Variables") or {}
    reserved = [name for name in variables if RESERVED.fullmatch(name)]
    if reserved:
        yield f"{UNCONFIGURED} because they are reserved: {', '.join(reserved)}"
    yield from _function_size_problems(request)
    size = len(json.dumps(variables, separators=(",", ":")).encode()) if variables else 0
    if size > LARGEST_ENVIRONMENT:
        yield f"{UNCONFIGURED}: {size} bytes exceed the {LARGEST_ENVIRONMENT} bytes limit"


def _function_size_problems(request: dict[str, Any]) -> Iterator[str]:
    storage = (request.get("EphemeralStorage") or {}).get("Size")
    for name, value, least in (("memorySize", request.get("MemorySize"), 128), ("ephemeralStorage.size", storage, 512)):
        size = _number(value)
        if size is not None and not least <= size <= LARGEST_MB:
            constraint = f"Member must have value from {least} to {LARGEST_MB}"
            yield f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"


def _new_function_problems(request: dict[str, Any]) -> Iterator[str]:
    """Check CreateFunction, which needs more than a later change."""
    if len(str(request.get("FunctionName", "")).rpartition(":")[2]) > 64:
        yield "Value at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"
    if request.get("PackageType", "Zip") == "Zip" and not (request.get("Handler") and request.get("Runtime")):
        yield "Runtime and Handler are mandatory parameters for functions created with deployment packages."
    if request.get("Runtime") in BLOCKED_RUNTIMES:
        yield f"The runtime parameter of {request['Runtime']} is no longer supported for creating AWS Lambda functions."
    yield from function_problems(request)


def _alarm_problems(request: dict[str, Any]) -> Iterator[str]:
    if not request.get("ComparisonOperator"):
        yield "The parameter ComparisonOperator must be set"
    if request.get("Threshold") is None and not request.get("ThresholdMetricId"):
        yield "The parameter Threshold must be set"
    if request.get("Statistic") and request.get("ExtendedStatistic"):
        yield "The parameters Statistic and ExtendedStatistic are mutually exclusive"
    percentile = re.fullmatch(r"p(\d+(\.\d+)?)", request.get("ExtendedStatistic") or "")
    if percentile and float(percentile[1]) > 100:
        yield f"The value {percentile[0]} for parameter ExtendedStatistic is not supported"
    evaluated = _number(request.get("EvaluationPeriods")) or 1
    if (_number(request.get("DatapointsToAlarm")) or 0) > evaluated:
        yield "The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods"
    if request.get("TreatMissingData", "missing") not in ("missing", "ignore", "breaching", "notBreaching"):
        yield f"The value {request['TreatMissingData']} for parameter TreatMissingData is not supported"
    yield from _period_problems(_number(request.get("Period")), evaluated)
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for action in request.get(name) or []:
            if isinstance(action, str) and not action.startswith("arn:"):
                yield f"Invalid arn syntax: {action}"
    yield from _query_problems(request.get("Metrics") or [])


def _period_problems(period_s: float | None, evaluated: float) -> Iterator[str]:
    if period_s is None:
        return
    if period_s <= 0 or (period_s not in SHORT_PERIODS_S and period_s % 60):
        yield f"Invalid period {period_s:g}: must be 10, 20, 30 or a multiple of 60"
    longest_s = DAY_S if period_s < 3600 else 7 * DAY_S
    if period_s * evaluated > longest_s:
        yield f"Metrics cannot be checked across more than {longest_s // DAY_S} days (EvaluationPeriods * Period)"


def _query_problems(queries: list[dict[str, Any]]) -> Iterator[str]:
    """Check metric math: at most ten metrics, names that begin in lower case, and one result."""
    if sum("MetricStat" in query for query in queries) > 10:
        yield "The parameter Metrics may not have more than 10 metrics"
    if queries and sum(str(query.get("ReturnData", True)).lower() != "false" for query in queries) != 1:
        yield "Exactly one element of the metrics list should return data"
    for query in queries:
        if not re.fullmatch(r"[a-z]\w*", str(query.get("Id"))):
            yield f"The value {query.get('Id')} for parameter Metrics.member.Id is not matching the expected pattern"


def metric_problems(request: dict[str, Any]) -> Iterator[str]:
    if str(request.get("Namespace", "")).startswith("AWS/"):
        yield "The value AWS/ for parameter Namespace is invalid: it is reserved"
    for datum in request.get("MetricData") or []:
        value = datum.get("Value")
        if isinstance(value, float | str) and not math.isfinite(float(value)):
            yield f"The value {value} for parameter MetricData.member.Value is invalid"


def _parameter_problems(request: dict[str, Any]) -> Iterator[str]:
    if request.get("Value") == "":
        yield "Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1"
    value, advanced = str(request.get("Value", "")), request.get("Tier") in ("Advanced", "Intelligent-Tiering")
    largest = 8192 if advanced else 4096
    if len(value.encode()) > largest:
        tier = "Advanced" if advanced else "Standard"
        yield f"{tier} tier parameters support a maximum parameter value of {largest} characters"
    name = str(request.get("Name") or "/")
    if not re.fullmatch(r"[\w./-]+", name):
        yield f"Parameter name {name}: can only contain letters, numbers and the symbols .-_/"
    if re.match(r"/?(aws|ssm)", name, re.IGNORECASE) and not name.startswith("/aws/reference/"):
        yield f"Parameter name {name}: can't be prefixed with aws or ssm (case-insensitive)"


def _route_problems(request: dict[str, Any]) -> Iterator[str]:
    key = request.get("RouteKey")
    if key is not None and not re.fullmatch(
        rf"\$default|\$connect|\$disconnect|({METHODS}) /\S*|[\w$][\w.-]*", str(key)
    ):
        form = '"<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        yield f"The provided route key is not formatted properly for HTTP protocol. Format should be {form}: {key}"
    yield from _authorization_problems(request)


def _authorization_problems(request: dict[str, Any]) -> Iterator[str]:
    if request.get("AuthorizationType") in ("JWT", "CUSTOM") and not request.get("AuthorizerId"):
        yield "AuthorizerId must be provided when AuthorizationType is JWT or CUSTOM"


def _integration_problems(request: dict[str, Any]) -> Iterator[str]:
    version = request.get("PayloadFormatVersion")
    if version is not None and version not in ("1.0", "2.0"):
        yield f"Invalid payload format version {version}: must be 1.0 or 2.0"


def _queue_problems(request: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"[\w-]{1,80}|[\w-]{1,75}\.fifo", str(request.get("QueueName"))):
        yield "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"


def _visibility_problems(request: dict[str, Any]) -> Iterator[str]:
    seconds = _number(request.get("VisibilityTimeout"))
    if seconds is not None and not 0 <= seconds <= LONGEST_VISIBILITY_S:
        most = LONGEST_VISIBILITY_S
        yield f"Value {seconds:g} for parameter VisibilityTimeout is invalid. Must be between 0 and {most}"


def rule_problems(request: dict[str, Any]) -> Iterator[str]:
    expression, pattern = request.get("ScheduleExpression"), request.get("EventPattern")
    if expression and schedules.problem(str(expression), counted=True):
        yield "Parameter ScheduleExpression is not valid."
    if not expression and not pattern:
        yield "Parameter(s) EventPattern or ScheduleExpression must be specified."


def budget_problems(request: dict[str, Any]) -> Iterator[str]:
    budget = request.get("Budget") or request.get("NewBudget") or {}
    amount = _number((budget.get("BudgetLimit") or {}).get("Amount"))
    if amount is not None and amount <= 0:
        yield "Budget limit must be greater than 0"
    kinds = ("COST", "USAGE", "RI_UTILIZATION", "RI_COVERAGE", "SAVINGS_PLANS_UTILIZATION", "SAVINGS_PLANS_COVERAGE")
    if budget.get("BudgetType") not in kinds:
        yield f"Unknown budget type: {budget.get('BudgetType')}"
    if budget.get("TimeUnit") not in ("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY", "CUSTOM"):
        yield f"Unknown time unit: {budget.get('TimeUnit')}"


def _message_problems(request: dict[str, Any]) -> Iterator[str]:
    subject = request.get("Subject")
    if subject is not None and (len(str(subject)) > 100 or not re.fullmatch(r"[ -~]+", str(subject))):
        yield "Invalid parameter: Subject: must be at most 100 printable ASCII characters without a line break"

    if not request.get("Message"):
        yield "Invalid parameter: Empty message"


def _topic_problems(request: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"[\w-]{1,256}|[\w-]{1,251}\.fifo", str(request.get("Name"))):
        yield "Invalid parameter: Topic Name"


def _subscription_problems(request: dict[str, Any]) -> Iterator[str]:
    protocol, endpoint = request.get("Protocol"), str(request.get("Endpoint", ""))
    if protocol not in PROTOCOLS:
        yield f"Invalid parameter: Does not support this protocol string: {protocol}"
    if protocol in ("email", "email-json") and not re.fullmatch(r"[^@\s]+@[^@\s]+", endpoint):
        yield "Invalid parameter: Email address"


def _target_problems(request: dict[str, Any]) -> Iterator[str]:
    """Check PutTargets."""
    for target in request.get("Targets") or []:
        if sum(name in target for name in ("Input", "InputPath", "InputTransformer")) > 1:
            yield f"Only one of Input, InputPath, or InputTransformer must be provided for target {target.get('Id')}."
        if ":states:" in str(target.get("Arn")) and not target.get("RoleArn"):
            yield f"RoleArn is required for target {target.get('Arn')}."
        if "Input" in target and not is_json(target["Input"]):
            yield f"JSON syntax error in input for target {target.get('Id')}"


def _event_problems(request: dict[str, Any]) -> Iterator[str]:
    size = sum(
        len(str(entry.get(name, "")).encode())
        for entry in request.get("Entries") or []
        for name in ("Source", "DetailType", "Detail")
    )
    if size > LARGEST_EVENTS:
        yield f"Total size of the entries in the request is over the limit of {LARGEST_EVENTS} bytes."


def _log_problems(request: dict[str, Any]) -> Iterator[str]:
    events = request.get("logEvents") or []
    moments = [event.get("timestamp", 0) for event in events]
    if moments != sorted(moments):
        yield "Log events in a single PutLogEvents request must be in chronological order."
    size = sum(len(str(event.get("message", "")).encode()) + 26 for event in events)
    if size > LARGEST_LOG_BATCH:
        yield f"Upload too large: {size} bytes exceeds limit of {LARGEST_LOG_BATCH}"


def span_problems(request: dict[str, Any]) -> Iterator[str]:
    """Check GetMetricData and GetMetricStatistics, whose times are numbers or text, but not mixed in one request."""
    start, end = request.get("StartTime"), request.get("EndTime")
    if type(start) is type(end) and start is not None and start >= end:
        yield "The parameter StartTime must be less than the parameter EndTime."


def _dashboard_problems(request: dict[str, Any]) -> Iterator[str]:
    if not is_json(request.get("DashboardBody")):
        yield "The field DashboardBody must be a valid JSON object"


def is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


OF_TYPE: dict[str, Check] = {
    "AWS::ApiGatewayV2::Route": _route_problems,
    "AWS::Budgets::Budget": budget_problems,
    "AWS::CloudWatch::Alarm": _alarm_problems,
    "AWS::Events::Rule": rule_problems,
    "AWS::Lambda::EventSourceMapping": event_sources.problems,
    "AWS::Lambda::Function": _new_function_problems,
    "AWS::SSM::Parameter": _parameter_problems,
}


def of_type(kind: str, properties: dict[str, Any]) -> list[str]:
    """Describe what is wrong with the resolved properties of a resource."""
    check = OF_TYPE.get(kind)
    return list(check(properties)) if check else []


OF_OPERATION: dict[str, Check] = {
    "CreateRoute": _route_problems,
    "CreateIntegration": _integration_problems,
    "CreateQueue": _queue_problems,
    "ReceiveMessage": _visibility_problems,
    "ChangeMessageVisibility": _visibility_problems,
    "UpdateRoute": _route_problems,
    "CreateBudget": budget_problems,
    "UpdateBudget": budget_problems,
    "PutMetricAlarm": _alarm_problems,
    "PutMetricData": metric_problems,
    "PutRule": rule_problems,
    "CreateEventSourceMapping": event_sources.problems,
    "UpdateEventSourceMapping": event_sources.problems,
    "CreateFunction": _new_function_problems,
    "UpdateFunctionConfiguration": function_problems,
    "PutParameter": _parameter_problems,
    "Publish": _message_problems,
    "CreateTopic": _topic_problems,
    "Subscribe": _subscription_problems,
    "PutTargets": _target_problems,
    "PutEvents": _event_problems,
    "PutLogEvents": _log_problems,
    "GetMetricData": span_problems,
    "PutDashboard": _dashboard_problems,
}


def of_operation(operation: str, parameters: dict[str, Any]) -> list[str]:
    """Describe what is wrong with the parameters of an operation, by service."""
    check = OF_OPERATION.get(operation)
    return list(check(parameters)) if check else []
