"""Step Functions as our flows use it: JSONata, the native integrations under the machine's role, and the distributed Map."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from tests_local_aws import ACCOUNT, REGION, allow, eventually

FAILING = """
class NotYet(Exception): pass
CALLS = []
def handler(event, context):
    CALLS.append(event)
    if len(CALLS) <= event.get("fail", 0): raise NotYet(f"call {len(CALLS)}")
    return {"calls": len(CALLS)}
"""
ECHO = "def handler(event, context): return event"


def invoke(function: str, payload, **fields) -> dict:
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": function, "Payload": payload},
            "Output": "{% $states.result.Payload %}", **{"End": True, **fields}}
