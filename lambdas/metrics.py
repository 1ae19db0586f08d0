"""Metrics as a log line in CloudWatch's embedded metric format: no call, no wait, nothing lost by a kill."""

import json
import time
from collections.abc import Mapping

from domain.names import METRICS_NAMESPACE

# by the end of the name; all others are counts
UNITS = {"Latency": "Milliseconds", "Percent": "Percent", "Usd": "None"}


def line(*, project: str, stage: str, measured: Mapping[str, float], **logged: object) -> str:
    """Make the line: `measured` become metrics by project and stage, `logged` can only be found in the log."""
    metrics = [{"Name": name, "Unit": unit_of(name)} for name in measured]
    directive = {"Namespace": METRICS_NAMESPACE, "Dimensions": [["project", "stage"]], "Metrics": metrics}
    header = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": header, "project": project, "stage": stage, **measured, **logged})


def unit_of(name: str) -> str:
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "Count")
