"""Templates in words: CloudFormation's intrinsics as the short text that a reader would say."""

import json
import re

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "REGION",
    "AWS::AccountId": "ACCOUNT",
    "AWS::URLSuffix": "amazonaws.com",
}


def of_type(template: dict, kind: str) -> dict:
    """{logical id: properties} of the resources of one type."""
    return {id: found.get("Properties", {}) for id, found in template["Resources"].items() if found["Type"] == kind}


def text(value) -> str:
    """A value with its references written as <what they refer to>."""
    if isinstance(value, str):
        return value
    ((function, given),) = value.items()
    if function == "Ref":
        return PSEUDO.get(given, f"<{short(given)}>")
    if function == "Fn::GetAtt":
        return f"<{short(given[0])}>"
    if function == "Fn::ImportValue":
        return f"<{imported(given)}>"
    if function == "Fn::Join":
        return given[0].join(text(part) for part in given[1])
    raise ValueError(f"{function} is not read here: {json.dumps(value)}")


def short(logical_id: str) -> str:
    """A logical id without the hash that CDK ends it with."""
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


def imported(name: str) -> str:
    """LakeBucket of flights-prod-data:ExportsOutputFnGetAttLakeBucketB1D32E10Arn6706D8FF."""
    return re.fullmatch(r".*:ExportsOutput(?:FnGetAtt|Ref)(\w+?)[0-9A-F]{8}\w*", name).group(1)


def short_arn(resource: str) -> str:
    """An ARN of this account and region without the parts that they all share."""
    return re.sub(r"^arn:aws:([\w-]+):(REGION)?:(ACCOUNT)?:", r"\1:", resource)


def listed(value) -> list:
    return value if isinstance(value, list) else [value]
