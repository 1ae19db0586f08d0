"""Monitoring: logs, metrics, alarms, dashboards, traces, and the topics, queues and schedules that go with them."""

from domain.money.prices import Prices
from domain.money.resources.compute import RUNS
from domain.money.resources.lines import Line, line
from domain.money.schedule import HOURS_PER_MONTH, firings_per_month
from domain.money.template import Resource, last_word, text_of, verb_of
from domain.money.usage import DAYS_PER_MONTH, HOURS_PER_WEEK, KB_PER_GB, SECONDS_PER_HOUR, Month

CLOUDWATCH = "AmazonCloudWatch"
NOTIFICATIONS = 30.0  # alarms a month that notify, each to one address
SAMPLED_SHARE = 0.05  # X-Ray records the first request of every second and 5 % of the others


def log_group_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price what is written, and what is stored until it expires; counted uncompressed, so it is an upper bound."""
    events, fixed = _log_source(resource, usage)
    gb = events * usage.usage.log_kb / KB_PER_GB
    months_kept = min(resource.properties.get("RetentionInDays", float("inf")) / DAYS_PER_MONTH, usage.usage.months)
    return [
        line(resource, prices, flow="watch", what=what, price=(CLOUDWATCH, usage_type), quantity=quantity, fixed=fixed)
        for what, usage_type, quantity in (
            ("logs written", "DataProcessing-Bytes", gb),
            ("logs kept", "TimedStorage-ByteHrs", gb * months_kept),
        )
    ]


def _log_source(resource: Resource, month: Month) -> tuple[float, bool]:
    """Return the number of events of a log group, and whether it is independent of requests.

    They are found by the function or flow at the end of the group's name, or by the API.
    """
    writer = last_word(resource.properties.get("LogGroupName", resource.name))
    if writer in RUNS:
        runs = RUNS[writer](month)
        return runs.count, runs.fixed
    if writer in FLOW_EVENTS:
        return FLOW_EVENTS[writer](month), True
    if "api" in resource.name.lower():
        return month.requests + month.outcomes, False
    return month.usage.deploys, True


EVENTS_PER_RUN, EVENTS_PER_CHUNK = (
    100.0,
    10.0,
)  # events of a state machine, each about as long as a function's log
FLOW_EVENTS = {
    "train": lambda month: month.training_runs * EVENTS_PER_RUN,
    "release": lambda month: month.training_runs * EVENTS_PER_RUN,
    "watch": lambda month: month.watch_runs * EVENTS_PER_RUN,
    "batch": lambda month: month.batch_runs * EVENTS_PER_RUN + month.chunks * EVENTS_PER_CHUNK,
}


def metric_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price the metrics that functions write into their logs; they are shared, so they are counted once, at predict."""
    if verb_of(resource) != "predict":
        return []
    price = (CLOUDWATCH, "CW:MetricMonitorUsage")
    return [
        line(
            resource, prices, flow="watch", what="custom metrics", price=price, quantity=usage.usage.metrics, fixed=True
        )
    ]


def metric_filter_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    price, count = (CLOUDWATCH, "CW:MetricMonitorUsage"), len(resource.properties.get("MetricTransformations", [1]))
    return [line(resource, prices, flow="watch", what="metrics from logs", price=price, quantity=count, fixed=True)]


def alarm_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price an alarm, which is billed for each metric in it."""
    metrics = [each for each in resource.properties.get("Metrics", []) if "MetricStat" in each]
    price, count = (CLOUDWATCH, "CW:AlarmMonitorUsage"), len(metrics) or 1
    return [line(resource, prices, flow="watch", what="alarm", price=price, quantity=count, fixed=True)]


def composite_alarm_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    price = (CLOUDWATCH, "CW:CompositeAlarmMonitorUsage")
    return [line(resource, prices, flow="watch", what="composite alarm", price=price, quantity=1, fixed=True)]


def dashboard_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    price = (CLOUDWATCH, "DashboardsUsageHour")
    return [line(resource, prices, flow="watch", what="dashboard", price=price, quantity=1, fixed=True)]


def trace_lines(resource: Resource, usage: Month, prices: Prices, runs: float, *, fixed: bool) -> list[Line]:
    """Price the traces that X-Ray records for `runs` distributed over the week like the requests."""
    if not traced(resource):
        return []
    price, count = ("AWSXRay", "XRay-TracesStored"), _sampled(runs, usage)
    return [line(resource, prices, flow="watch", what="traces", price=price, quantity=count, fixed=fixed)]


def traced(resource: Resource) -> bool:
    function = resource.properties.get("TracingConfig", {}).get("Mode") == "Active"
    return function or bool(resource.properties.get("TracingConfiguration", {}).get("Enabled"))


def _sampled(runs: float, month: Month) -> float:
    weeks, share = HOURS_PER_MONTH / HOURS_PER_WEEK, runs / month.requests if month.requests else 0.0
    if not share:
        return runs
    rates = [rate * share for rate in month.rates]
    return sum(min(rate, 1.0) + max(rate - 1.0, 0.0) * SAMPLED_SHARE for rate in rates) * SECONDS_PER_HOUR * weeks


def topic_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    return [
        line(
            resource,
            prices,
            flow="watch",
            what=what,
            price=("AmazonSNS", usage_type),
            quantity=NOTIFICATIONS,
            fixed=True,
        )
        for what, usage_type in (("alarms", "Requests-Tier1"), ("e-mails", "DeliveryAttempts-SMTP"))
    ]


def queue_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price a queue; our queues hold failures, so the cost is that of polling them."""
    kind = "FIFO-RBP" if resource.properties.get("FifoQueue") else "RBP"
    price = ("AWSQueueService", f"Requests-{kind}")
    return [line(resource, prices, flow="watch", what="failures kept", price=price, quantity=NOTIFICATIONS, fixed=True)]


def schedule_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    expression = text_of(resource.properties.get("ScheduleExpression", "off"))
    runs = 1.0 if expression.startswith("at(") else firings_per_month(expression)
    runs *= resource.properties.get("State", "ENABLED") == "ENABLED"
    price = ("AWSEvents", "ScheduledInvocation")
    return [line(resource, prices, flow="watch", what=expression, price=price, quantity=runs, fixed=True)]


USES_OF_A_RUN = (
    3  # a run's artefact is signed once, and its signature verified before it is hosted and before it becomes champion
)


def key_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price a key and its uses: training runs use the signing key, answers at most once each the encryption key."""
    signs = resource.properties.get("KeyUsage") == "SIGN_VERIFY"
    requests = USES_OF_A_RUN * usage.training_runs if signs else usage.predictions + usage.batch_rows
    uses = ("awskms", "KMS-Requests-Asymmetric" if signs else "KMS-Requests")
    return [
        line(resource, prices, flow="store", what="key", price=("awskms", "KMS-Keys"), quantity=1, fixed=True),
        line(resource, prices, flow="store", what="uses of the key", price=uses, quantity=requests),
    ]


def parameter_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line] | None:
    """Standard parameters are free, and the table says so; it has no price for others."""
    if resource.properties.get("Tier", "Standard") != "Standard":
        return None
    price = ("AWSSystemsManager", "ParameterStore-Standard")
    return [line(resource, prices, flow="store", what="parameter", price=price, quantity=1, fixed=True)]
