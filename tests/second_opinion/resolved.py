"""A template's values as CloudFormation would give them, with names that are made up where AWS would choose them."""

import json
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
ARNS = {
    "AWS::DynamoDB::GlobalTable": "dynamodb:{region}:{account}:table/{id}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{id}",
    "AWS::ECR::Repository": "ecr:{region}:{account}:repository/{id}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{id}",
    "AWS::IAM::Role": "iam::{account}:role/{id}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/12345678-1234-1234-1234-123456789012",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{id}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{id}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{id}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{id}",
    "AWS::SageMaker::ModelPackageGroup": "sagemaker:{region}:{account}:model-package-group/{id}",
    "AWS::StepFunctions::StateMachine": "states:{region}:{account}:stateMachine:{id}",
}
# A stream's label has a time behind its date, at whose colons parliament takes it for no stream.
ATTRIBUTES = {"Arn": "", "ModelPackageGroupArn": "", "StreamArn": "/stream/2026-01-01"}
REFERS_TO_ITS_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::SageMaker::ModelPackageGroup"}


class Template:
    """One stack's template, beside those whose exports it imports."""

    def __init__(self, file: Path, region: str, exporting: "Template | None" = None):
        self.resources = json.loads(file.read_text())["Resources"]
        self.outputs = json.loads(file.read_text()).get("Outputs", {})
        self.name, self.region, self.exporting = file.name.removesuffix(".template.json"), region, exporting

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {id: each["Properties"] for id, each in self.resources.items() if each["Type"] == kind}

    def value(self, value: Any) -> Any:
        """The value with every reference resolved."""
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (function := next(iter(value))).startswith(("Fn::", "Ref")):
            return self._called(function, value[function])
        return {key: self.value(each) for key, each in value.items()}

    def _called(self, function: str, given: Any) -> Any:
        pseudo = {"AWS::Partition": "aws", "AWS::Region": self.region, "AWS::AccountId": ACCOUNT}
        pseudo |= {"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": self.name}
        if function == "Ref":
            return pseudo.get(given) or self._reference(given)
        if function == "Fn::GetAtt":
            return self._arn(given[0]) + ATTRIBUTES[given[1]] if given[1] in ATTRIBUTES else f"{given[0]}-{given[1]}"
        if function == "Fn::Join":
            return given[0].join(map(str, self.value(given[1])))
        if function == "Fn::ImportValue" and self.exporting:
            return self.exporting.exported(given)
        if function == "Fn::Select":
            return self.value(given[1])[int(given[0])]
        if function == "Fn::Split":
            return self.value(given[1]).split(given[0])
        if function == "Fn::Sub" and isinstance(given, str):
            return given
        raise ValueError(f"{self.name}: {function} is not read here: {json.dumps(given)}")

    def exported(self, name: str) -> Any:
        found = next(each for each in self.outputs.values() if each.get("Export", {}).get("Name") == name)
        return self.value(found["Value"])

    def _reference(self, id: str) -> str:
        return self._arn(id) if self.resources[id]["Type"] in REFERS_TO_ITS_ARN else id

    def _arn(self, id: str) -> str:
        kind = self.resources[id]["Type"]
        if kind not in ARNS:
            raise ValueError(f"{self.name}: the ARN of {kind} is not made up here: {id}")
        given = {"region": self.region, "account": ACCOUNT, "id": id, "name": id.lower()}
        return f"arn:aws:{ARNS[kind].format(**given)}"
