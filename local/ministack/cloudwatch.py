"""CloudWatch as alarms need it: log lines in the embedded metric format become metrics, and alarms judge by themselves.

The stock alarm mixes all dimensions of a metric, looks at one period only, ignores missing data and is judged only when
a metric is put. Here each alarm is judged every few seconds, period by period, and its changes are events too.
"""

import json
import logging
import threading
import time

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, lambda_svc
from ministack.services.cloudformation import provisioners

from local.metric_math import MetricMathError, evaluate, names_in, parse

CLOUDWATCH = "ministack.services.cloudwatch"
HOOKS = (
    *tuple(
        f"{CLOUDWATCH}:{name}"
        for name in (
            "_alarms",
            "_metrics",
            "_evaluate_alarm",
            "_dispatch_alarm_actions",
            "_evaluate_parent_alarms",
            "_record_history",
            "_put_metric_alarm",
            "_get_metric_data",
            "_cbor_metric_data_result",
            "_cbor_ok",
            "_json_ok",
            "_store_datum",
            "_calc_stats",
            "_stat_value",
            "_dims_key",
            "_error",
        )
    ),
    "ministack.services.cloudwatch_logs:_append_log_events",
    "ministack.services.eventbridge:_put_events",
    "ministack.services.cloudformation.provisioners:_cw_metric_alarm_record",
    "ministack.services.lambda_svc:invoke_async_with_retry",
    "ministack.core.responses:request_scope",
)

EVERY_S = 2.0
BREACHES = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
LOG = logging.getLogger("alarms")


def register() -> None:
    append, dispatch = cloudwatch_logs._append_log_events, cloudwatch._dispatch_alarm_actions
    put_alarm, alarm_record = cloudwatch._put_metric_alarm, provisioners._cw_metric_alarm_record
    get_data = cloudwatch._get_metric_data

    def append_and_measure(stream, events):
        append(stream, events)
        for event in events:
            if '"_aws"' in event["message"]:
                _store_embedded_metrics(event["message"])

    def dispatch_all(alarm, old_state, new_state, reason):
        dispatch(alarm, old_state, new_state, reason)
        announce(alarm, old_state, new_state, reason)
        if alarm.get("ActionsEnabled", True):
            _run_actions(alarm, old_state, new_state, reason)

    cloudwatch_logs._append_log_events = append_and_measure
    cloudwatch._dispatch_alarm_actions = dispatch_all
    cloudwatch._evaluate_alarm = judge
    cloudwatch._put_metric_alarm = lambda params, data, is_cbor, is_json=False: put_metric_alarm(
        put_alarm, params, data, is_cbor, is_json
    )
    cloudwatch._get_metric_data = lambda params, data, is_cbor, is_json=False: get_metric_data(
        get_data, params, data, is_cbor, is_json
    )
    provisioners._cw_metric_alarm_record = lambda name, properties: _declared_alarm(alarm_record, name, properties)
    threading.Thread(target=_judge_for_ever, daemon=True, name="alarms").start()


def _store_embedded_metrics(line: str) -> None:
    """Store the metrics of one log line in CloudWatch's embedded metric format."""
    try:
        document = json.loads(line[line.index("{") :])
        at = document["_aws"]["Timestamp"] / 1000
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive.get("Dimensions") or [[]]:
                named = {name: str(document[name]) for name in dimensions}
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    cloudwatch._store_datum(
                        directive["Namespace"],
                        metric["Name"],
                        named,
                        at,
                        metric.get("Unit", "None"),
                        None,
                        value if isinstance(value, list) else [value],
                        None,
                        None,
                    )
    except (ValueError, KeyError, TypeError) as error:
        LOG.warning("a log line in the embedded metric format cannot be used (%r): %.300s", error, line)


def _judge_for_ever() -> None:
    while True:
        time.sleep(EVERY_S)
        for account, region, name in list(cloudwatch._alarms._data):
            with request_scope(account, region):
                alarm = cloudwatch._alarms.get(name)
                try:
                    if alarm is not None:
                        judge(alarm)
                except Exception:
                    LOG.exception("alarm %s cannot be judged", name)


def judge(alarm: dict) -> None:
    """Move the alarm to the state of its last periods, and notify its targets."""
    breaching = BREACHES.get(str(alarm.get("ComparisonOperator")))
    if breaching is None or not (alarm.get("MetricName") or alarm.get("Metrics")):
        return
    periods = int(alarm.get("EvaluationPeriods") or 1)
    now = time.time()
    values = [value_of(alarm, periods_ago, now) for periods_ago in range(periods)]
    verdicts = [None if value is None else breaching(value, float(alarm["Threshold"])) for value in values]
    old, new = alarm["StateValue"], state_of(verdicts, alarm)
    if new == old:
        return
    reason = (
        f"Threshold Crossed: {sum(verdict is True for verdict in verdicts)} of the last {periods} datapoints "
        f"{[value for value in values if value is not None]} were breaching the threshold ({alarm['Threshold']})."
    )
    alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(now))
    cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def state_of(verdicts: list[bool | None], alarm: dict) -> str:
    """Return the state after these periods (None: a period without data), by TreatMissingData."""
    missing = alarm.get("TreatMissingData") or "missing"
    if all(verdict is None for verdict in verdicts) and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA" if missing == "missing" else alarm["StateValue"]
    breaches = sum(verdict if verdict is not None else missing == "breaching" for verdict in verdicts)
    needed = int(alarm.get("DatapointsToAlarm") or len(verdicts))
    return "ALARM" if breaches >= needed else "OK"


def value_of(alarm: dict, periods_ago: int, now: float) -> float | None:
    """Return the alarm's value in one period; None without data."""
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _statistic_of(alarm, statistic, float(alarm.get("Period") or 60), alarm.get("Unit"), periods_ago, now)
    queries = {query["Id"]: query for query in alarm["Metrics"]}
    returned = next(name for name, query in queries.items() if query.get("ReturnData", True) is not False)
    measured = {name: _query_value(query, periods_ago, now) for name, query in queries.items() if "MetricStat" in query}
    return evaluated(returned, queries, measured)


def evaluated(name: str, queries: dict, known: dict) -> float | None:
    """Return the value of one query; an expression may name others, before or after it."""
    if name not in known:
        expression = queries[name]["Expression"]
        for used in names_in(expression) & queries.keys():
            evaluated(used, queries, known)
        known[name] = evaluate(expression, known)
    return known[name]


def _query_value(query: dict, periods_ago: int, now: float) -> float | None:
    stat = query["MetricStat"]
    return _statistic_of(stat["Metric"], stat["Stat"], float(stat["Period"]), stat.get("Unit"), periods_ago, now)


def _statistic_of(metric: dict, statistic: str, period_s: float, unit: str | None, periods_ago: int, now: float):
    dimensions = cloudwatch._dims_key({each["Name"]: each["Value"] for each in metric.get("Dimensions") or []})
    points = cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []
    end = now - period_s * periods_ago
    window = [
        point
        for point in points
        if end - period_s < point["Timestamp"] <= end + (periods_ago == 0) and (not unit or point["Unit"] == unit)
    ]
    return cloudwatch._stat_value(cloudwatch._calc_stats(window), statistic, window) if window else None


def announce(alarm: dict, old: str, new: str, reason: str) -> None:
    """Return the event that a rule on `aws.cloudwatch` matches."""
    eventbridge._put_events(
        {
            "Entries": [
                {
                    "Source": "aws.cloudwatch",
                    "DetailType": "CloudWatch Alarm State Change",
                    "Resources": [alarm["AlarmArn"]],
                    "Detail": json.dumps(change(alarm, old, new, reason)),
                }
            ]
        },
        allow_aws_source=True,
    )


def _run_actions(alarm: dict, old: str, new: str, reason: str) -> None:
    """Run the actions other than SNS, which the stock code sends."""
    for action in alarm.get(ACTIONS[new]) or []:
        if ":lambda:" in action:
            function = lambda_svc._get_func_record_for_ref(action)[0]
            if function is None:
                LOG.error("alarm %s names a function that does not exist: %s", alarm["AlarmName"], action)
                continue
            lambda_svc.invoke_async_with_retry(
                function,
                {
                    "source": "aws.cloudwatch",
                    "alarmArn": alarm["AlarmArn"],
                    "accountId": get_account_id(),
                    "region": get_region(),
                    "alarmData": change(alarm, old, new, reason),
                },
            )
        elif ":sns:" not in action:
            LOG.warning("alarm %s: the action %s is not simulated", alarm["AlarmName"], action)


def change(alarm: dict, old: str, new: str, reason: str) -> dict:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
    metric = {
        "namespace": alarm.get("Namespace"),
        "name": alarm.get("MetricName"),
        "dimensions": {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []},
    }
    return {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason, "timestamp": at},
        "previousState": {"value": old},
        "configuration": {"metrics": [{"metricStat": {"metric": metric}}]},
    }


def put_metric_alarm(stock, params, data, is_cbor, is_json):
    """Handle PutMetricAlarm with metric math, which the stock one drops, and refuse what cannot be evaluated."""
    try:
        if any(name.startswith("Metrics.member") for name in params):
            raise MetricMathError("metric math is read from JSON and CBOR requests only; use a newer SDK")
        _check_alarm(data)
    except MetricMathError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    reply = stock(params, data, is_cbor, is_json)
    if data.get("Metrics") and reply[0] == 200:
        alarm = cloudwatch._alarms[data["AlarmName"]]
        alarm["Metrics"] = data["Metrics"]
        judge(alarm)
    return reply


def get_metric_data(stock, params, data, is_cbor, is_json):
    """Handle GetMetricData with metric math, for which the stock one has an error in place of values."""
    queries = {query["Id"]: query for query in (data or {}).get("MetricDataQueries") or []}
    if not any("Expression" in query for query in queries.values()):
        return stock(params, data, is_cbor, is_json)
    try:
        _check_math(list(queries.values()), "query")
    except MetricMathError as error:
        return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
    plain = [{**query, "ReturnData": True} for query in queries.values() if "MetricStat" in query]
    read = json.loads(stock(params, {**data, "MetricDataQueries": plain}, False, True)[2])["MetricDataResults"]
    series = {one["Id"]: dict(zip(one["Timestamps"], one["Values"], strict=True)) for one in read}
    wanted = [query for query in queries.values() if query.get("ReturnData", True) is not False]
    results = [_series_of(query, queries, series) for query in wanted]
    if is_cbor:
        return cloudwatch._cbor_ok({"MetricDataResults": list(map(cloudwatch._cbor_metric_data_result, results))})
    return cloudwatch._json_ok({"MetricDataResults": results})


def _series_of(query: dict, queries: dict, series: dict[str, dict[str, float]]) -> dict:
    """Evaluate a query at each time at which any metric has data; times without a value are left out."""
    times = sorted({time for one in series.values() for time in one})
    values = [evaluated(query["Id"], queries, {name: one.get(time) for name, one in series.items()}) for time in times]
    known = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
    return {
        "Id": query["Id"],
        "Label": query.get("Label", query["Id"]),
        "Timestamps": [time for time, _ in known],
        "Values": [value for _, value in known],
        "StatusCode": "Complete",
    }


def _declared_alarm(stock, name: str, properties: dict) -> dict:
    """Provision an alarm of a template; the stock one refuses metric math, so that is added afterwards."""
    _check_alarm(properties)
    if not properties.get("Metrics"):
        return stock(name, properties)
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    alarm = stock(name, {**plain, "MetricName": "-", "Namespace": "-"})
    return {**alarm, "MetricName": None, "Namespace": None, "Metrics": properties["Metrics"]}


def _check_alarm(alarm: dict) -> None:
    if alarm.get("ThresholdMetricId") or alarm.get("ComparisonOperator", "GreaterThanThreshold") not in BREACHES:
        raise MetricMathError("alarms on anomaly detection are not evaluated by the local AWS; use a threshold")
    _check_math(alarm.get("Metrics") or [], "alarm")


def _check_math(queries: list[dict], of: str) -> None:
    for query in queries:
        if "Expression" in query:
            parse(query["Expression"])
            unknown = names_in(query["Expression"]) - {known["Id"] for known in queries}
            if unknown:
                raise MetricMathError(
                    f"metric math {query['Expression']!r} names {', '.join(sorted(unknown))}, "
                    f"which is no id of the {of}'s metrics"
                )
