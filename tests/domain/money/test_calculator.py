import boto3
from botocore.validate import ParamValidator

from domain.money.calculator import usage_lines
from domain.money.projection import project
from tests.domain.money.scenario import PRICES, month, requests, resource


def test_aws_takes_every_batch_as_it_is():
    dashboards = [resource("AWS::CloudWatch::Dashboard", f"Board{number}") for number in range(30)]
    found = project(
        [*dashboards, resource("AWS::ApiGatewayV2::Api")], month(requests(1000)), PRICES, today="2026-11-22"
    )
    batches = usage_lines(found.lines, account="123456789012")
    assert [len(batch) for batch in batches] == [25, 8]
    calculator = boto3.client("bcm-pricing-calculator", region_name="us-east-1").meta.service_model
    call = calculator.operation_model("BatchCreateWorkloadEstimateUsage").input_shape
    for batch in batches:
        asked = {"workloadEstimateId": "12345678-1234-1234-1234-123456789012", "usage": batch}
        assert ParamValidator().validate(asked, call).generate_report() == ""


def test_usage_has_the_name_that_aws_bills_it_by():
    found = project([resource("AWS::ApiGatewayV2::Api")], month(requests(1000)), PRICES, today="2026-11-22")
    ((first, *_),) = usage_lines(found.lines, account="123456789012")
    assert first | {"amount": round(first["amount"])} == {
        "serviceCode": "AmazonApiGateway",
        "usageType": "USE1-ApiGatewayHttpRequest",
        "operation": "",
        "usageAccountId": "123456789012",
        "key": "0",
        "group": "request",
        "amount": 1000,
    }


def test_what_is_not_used_is_not_sent():
    found = project([resource("AWS::ApiGatewayV2::Api")], month(requests(0)), PRICES, today="2026-11-22")
    assert usage_lines(found.lines, account="123456789012") == []
