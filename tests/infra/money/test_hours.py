"""Office hours as they are deployed: who has them looks often, and nobody may do more than that takes."""

import json

from tests.infra.reading import of_type, text
from tests.infra.test_permissions import granted

ROUTING = "<TablesRouting>"


def rules(service: dict) -> list[tuple[str, str]]:
    found = of_type(service, "AWS::Events::Rule").items()
    return [
        (each["ScheduleExpression"], text(each["Targets"][0]["Arn"]))
        for id, each in found
        if id.startswith("OfficeHours")
    ]


def environment(service: dict, verb: str) -> dict:
    (function,) = [
        each for each in of_type(service, "AWS::Lambda::Function").values() if f".{verb}." in each["Handler"]
    ]
    return function["Environment"]["Variables"]


def test_a_stage_with_hours_looks_every_five_minutes_and_any_other_hourly_for_what_is_gone(service, always_on):
    assert rules(service) == [("rate(1 hour)", "<OfficeHours>")]
    assert rules(always_on["service"]) == [("rate(5 minutes)", "<OfficeHours>")]


def test_only_where_settings_say_so_a_request_may_wake_an_endpoint(service, always_on):
    before, after = (granted(each)["RealtimeApiPredictRole"] for each in (service, always_on["service"]))
    added = after - {line.replace("flights-prod", "flights-test") for line in before}
    assert added == {
        f"dynamodb:PutItem {ROUTING} if dynamodb:LeadingKeys in ['hours']",
        "lambda:InvokeFunction <OfficeHours>",
    }
    assert text(environment(service, "predict")["HOURS_FUNCTION"]) == "<OfficeHours>"


def test_machines_that_come_back_follow_the_requests_as_before(service, always_on):
    assert environment(service, "hours")["SCALING"] == ""
    target, policy = json.loads(environment(always_on["service"], "hours")["SCALING"])
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (
        "endpoint/{endpoint}/variant/model",
        2,
        8,
    )
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 1500
    may = granted(always_on["service"])["OfficeHoursHoursRole"]
    ours = "application-autoscaling:scalable-target/* if application-autoscaling:service-namespace = sagemaker"
    for action in ("RegisterScalableTarget", "PutScalingPolicy", "DeregisterScalableTarget"):
        assert f"application-autoscaling:{action} {ours}" in may


def test_only_where_a_model_has_to_pay_the_judge_reads_what_is_deployed(service, always_on):
    def reads(template: dict) -> set[str]:
        return {line for line in granted(template)["TrainingJudgeRole"] if line.startswith("cloudformation:")}

    assert reads(service) == set()
    assert reads(always_on["service"]) == {
        f"cloudformation:GetTemplate cloudformation:stack/flights-test-{name}/*" for name in ("data", "service")
    }
