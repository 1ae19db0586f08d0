"""Check what a request or a template asks of an event source mapping. Pure: parameters in, problems out."""

import json
from collections.abc import Iterator
from typing import Any

OPERATORS = ("anything-but", "exists", "numeric", "prefix", "suffix")


def problems(request: dict[str, Any]) -> Iterator[str]:
    """Describe what is not simulated of a mapping, and what AWS refuses."""
    of_dynamodb = ":dynamodb:" in str(request.get("EventSourceArn", ""))
    instead = "is not simulated by the local AWS"
    if int(request.get("TumblingWindowInSeconds") or 0):
        yield f"TumblingWindowInSeconds {instead}; let the function write what it adds up"
    if int(request.get("ParallelizationFactor") or 1) > 1:
        yield f"ParallelizationFactor above 1 {instead}: it calls a function one batch at a time"
    if of_dynamodb and request.get("StartingPosition") == "AT_TIMESTAMP":
        yield "1 validation error detected: StartingPosition AT_TIMESTAMP is not supported for DynamoDB streams."
    filters = (request.get("FilterCriteria") or {}).get("Filters") or []
    for pattern in (each.get("Pattern") for each in filters):
        yield from _pattern_problems(pattern, instead)


def _pattern_problems(pattern: Any, instead: str) -> Iterator[str]:
    try:
        document = json.loads(pattern)
    except (TypeError, ValueError):
        document = None
    if not isinstance(document, dict) or not document:
        yield "Invalid filter pattern definition. (Service: Lambda; Status Code: 400; InvalidParameterValueException)"
        return
    for unknown in sorted(set(_unknown_operators(document))):
        yield f"The filter's {unknown} {instead}; it has {', '.join(OPERATORS)}"


def _unknown_operators(pattern: dict[str, Any]) -> Iterator[str]:
    for key, value in pattern.items():
        if key == "$or":
            yield key
        elif isinstance(value, dict):
            yield from _unknown_operators(value)
        elif isinstance(value, list):
            for operator, operand in (pair for each in value if isinstance(each, dict) for pair in each.items()):
                nested = isinstance(operand, dict)
                if operator not in OPERATORS or nested:
                    yield f"{operator} of {', '.join(operand)}" if nested else operator
