"""Measurements as a log line in CloudWatch's embedded metric format: no call, no wait, nothing lost by a kill."""

import json
import time

NAMESPACE = "Fairway"
UNITS = {"Latency": "Milliseconds", "ModelLatency": "Milliseconds"}  # everything else is a count


def line(*, project: str, stage: str, measured: dict, **said) -> str:
    """`measured` become metrics by project and stage; what is `said` is only in the log, to search for."""
    metrics = [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in measured]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["project", "stage"]], "Metrics": metrics}
    header = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": header, "project": project, "stage": stage, **measured, **said})
