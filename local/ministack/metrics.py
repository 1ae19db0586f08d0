"""Metrics of AWS's own services that alarms watch: calls of functions and APIs, executions, queues.

The stock services measure only functions that are invoked directly, not those behind an API, a flow or a queue.
"""

import threading
import time

from ministack.core.responses import request_scope
from ministack.services import apigateway, cloudwatch, lambda_svc, sqs
from ministack.services import stepfunctions as sfn

LAMBDA = "ministack.services.lambda_svc"
HOOKS = (
    f"{LAMBDA}:_emit_lambda_metrics",
    f"{LAMBDA}:_execute_function_dispatch",
    "ministack.services.cloudwatch:record_metric",
    "ministack.services.cloudwatch:_metric_bucket",
    "ministack.services.cloudwatch:_dims_key",
    "ministack.services.apigateway:handle_execute",
    "ministack.services.sqs:_queues",
    "ministack.services.sqs:_refresh_counts",
    "ministack.services.stepfunctions:_emit_execution_status_event",
    "ministack.core.responses:request_scope",
)

SAME_POINT_S = 1.0
QUEUES_EVERY_S = 5
EXECUTIONS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}


def register() -> None:
    emit, dispatch = lambda_svc._emit_lambda_metrics, lambda_svc._execute_function_dispatch
    answer, tell_status = apigateway.handle_execute, sfn._emit_execution_status_event

    def dispatch_measured(function, config, event, request_id, started):
        result = dispatch(function, config, event, request_id, started)
        took_ms = (time.time() - started) * 1000
        emit(config["FunctionName"], duration_ms=round(took_ms, 1), error=bool(result.get("error")), throttle=False)
        return result

    def emit_throttles(name, duration_ms, error, throttle):
        if throttle:  # all else is measured above, however the function was called
            emit(name, duration_ms, error, throttle)

    async def answer_measured(api_id, *arguments, **named):
        began = time.time()
        reply = await answer(api_id, *arguments, **named)
        _measure_api(api_id, reply[0], (time.time() - began) * 1000)
        return reply

    def tell_and_measure(execution):
        record(
            "AWS/States", EXECUTIONS[execution["status"]], 1, "Count", {"StateMachineArn": execution["stateMachineArn"]}
        )
        tell_status(execution)

    cloudwatch.record_metric = record
    lambda_svc._emit_lambda_metrics, lambda_svc._execute_function_dispatch = emit_throttles, dispatch_measured
    apigateway.handle_execute = answer_measured
    sfn._emit_execution_status_event = tell_and_measure
    threading.Thread(target=_measure_queues_for_ever, daemon=True, name="queue-metrics").start()


def record(namespace: str, name: str, value: float, unit: str = "None", dimensions: dict | None = None) -> None:
    """Record a value, counted into the last point if it is equal and recent: a busy function has few points."""

    dimensions, now = dimensions or {}, time.time()
    points = cloudwatch._metric_bucket((namespace, name, cloudwatch._dims_key(dimensions)))
    last = points[-1] if points else None
    if last and last["Value"] == value and now - last["Timestamp"] < SAME_POINT_S and "_stat" not in last:
        last["Count"] = last.get("Count", 1) + 1
    else:
        points.append({"Timestamp": now, "Value": float(value), "Unit": unit, "Dimensions": dict(dimensions)})


def _measure_api(api_id: str, status: int, took_ms: float) -> None:
    api = {"ApiId": api_id}
    record("AWS/ApiGateway", "Count", 1, "Count", api)
    record("AWS/ApiGateway", "4xx", float(400 <= status < 500), "Count", api)
    record("AWS/ApiGateway", "5xx", float(status >= 500), "Count", api)
    record("AWS/ApiGateway", "Latency", round(took_ms, 1), "Milliseconds", api)


def _measure_queues_for_ever() -> None:
    """Measure the number of messages in queues that have any."""
    while True:
        time.sleep(QUEUES_EVERY_S)
        for (account, region, _), queue in list(sqs._queues._data.items()):
            if not queue["messages"]:
                continue
            with request_scope(account, region):
                sqs._refresh_counts(queue)
                waiting = float(queue["attributes"]["ApproximateNumberOfMessages"])
                name = queue["attributes"]["QueueArn"].rpartition(":")[2]
                record("AWS/SQS", "ApproximateNumberOfMessagesVisible", waiting, "Count", {"QueueName": name})
