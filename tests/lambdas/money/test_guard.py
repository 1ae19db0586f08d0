import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from domain.config.sections import Budget
from domain.money import spending
from domain.money.template import Resource
from domain.release.routing import EMPTY, RoutingChanged
from lambdas.money import guard as module
from lambdas.money.guard import Effects, estimate, guard, handler
from tests.lambdas import stage

NOW = datetime(2026, 11, 16, tzinfo=UTC)  # half of November has passed
NOTHING_RAN = {"training_runs": 0, "batch_runs": 0, "batch_rows": 0}
API = Resource("Api", "AWS::ApiGatewayV2::Api", {}, "Api", "flights-local-service")
BOARD = Resource("Board", "AWS::CloudWatch::Dashboard", {}, "Board", "flights-local-service")
CHAMPION = {"release": "r-1", "endpoint": "flights-local-r-1", "since": ""}


@pytest.fixture
def careful(monkeypatch):
    budget = Budget(monthly_usd=10.0, stop_training_percent=75.0, stop_model_percent=100.0)
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, budget=budget))


def guarded(spent_usd, *, done=spending.NOTHING, now=NOW, writable=True, champion=CHAMPION, previous=(), **routed):
    """(what the guard answers, what it did, in order)."""
    did = []

    def write(routing):
        did.append(("routing", routing["champion"]))
        assert "shadow" not in routing  # whatever the guard does to a routing ends it
        return writable

    reply = guard(
        now=now,
        estimate=lambda: {"spent_usd": spent_usd, "forecast_usd": 2 * spent_usd},
        done=done,
        effects=Effects(
            routing=lambda: {
                **EMPTY,
                "version": 1,
                "champion": champion,
                "previous": list(previous),
                **routed,
            },
            write_routing=write,
            make=lambda endpoint: did.append(("made", endpoint)),
            announce=lambda message: did.append(("announced", message)),
            remember=lambda item: did.append(("remembered", item["actions"])),
        ),
    )
    return reply, did


def test_a_shadow_goes_before_the_model_does(monkeypatch):
    budget = Budget(monthly_usd=10.0, stop_challengers_percent=80.0, stop_model_percent=100.0)
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, budget=budget))
    shadow = {"rollout": "r-2/1/shadow", "release": "r-2", "endpoint": "flights-local-r-2", "share": 0.1, "since": ""}
    reply, did = guarded(8.5, shadow=shadow)
    assert reply["actions"] == ["stop_challengers"]
    announced = (
        "flights-local: 85 % of the budget of $10.00 is spent: only the champion answers. "
        "`fairway resume --stage local` undoes it."
    )
    assert did == [("announced", announced), ("routing", CHAMPION), ("remembered", ["stop_challengers"])]


def test_half_a_month_costs_half_of_what_a_month_at_its_pace_costs():
    counted = {
        "requests": 1_000_000.0,
        "predictions": 1_000_000.0,
        "outcomes": 0.0,
        "latency_ms": 50.0,
        "model_ms": 8.0,
        **NOTHING_RAN,
    }
    found = estimate([API, BOARD], counted, now=NOW)
    # 360 of 720 hours: 2,027,778 requests in a month of 730 h x 0.000001, 0.8 kB of each leaving at 0.09 a GB, and 3
    # for the dashboard
    requests = 1_000_000 * 730 / 360
    assert found["forecast_usd"] == pytest.approx(requests * 0.000001 + requests * 0.8 / 1024**2 * 0.09 + 3)
    assert found["spent_usd"] == pytest.approx(found["forecast_usd"] / 2)


def test_a_quiet_month_still_costs_what_is_fixed():
    silent = {"requests": 0.0, "predictions": 0.0, "outcomes": 0.0, "latency_ms": 0.0, "model_ms": 0.0, **NOTHING_RAN}
    assert estimate([API, BOARD], silent, now=NOW)["spent_usd"] == pytest.approx(1.5)


def test_no_pace_is_too_fast_to_be_reckoned_with():
    """A month at the pace of a busy second hour has more runs than anybody would write into [usage]."""
    counted = {
        "requests": 1e9,
        "predictions": 2e11,
        "outcomes": 0.0,
        "latency_ms": 40_000.0,
        "model_ms": 8.0,
        "training_runs": 30,
        "batch_runs": 60,
        "batch_rows": 20,
    }
    assert estimate([API, BOARD], counted, now=NOW.replace(day=1, hour=2))["forecast_usd"] > 100


def test_nothing_is_done_that_the_settings_do_not_ask_for():
    reply, did = guarded(1_000_000.0)
    assert (reply["actions"], did) == ([], [])


def test_each_action_is_announced_taken_and_remembered(careful):
    reply, did = guarded(10.0)
    assert reply == {"spent_usd": 10.0, "forecast_usd": 20.0, "actions": ["stop_training", "stop_model"]}
    assert [what for what, _ in did] == ["announced", "remembered", "announced", "routing", "remembered"]
    assert did[0][1] == (
        "flights-local: 100 % of the budget of $10.00 is spent: new training runs are refused. "
        "`fairway resume --stage local` undoes it."
    )
    assert (did[3][1], did[4][1]) == (None, ["stop_training", "stop_model"])


def test_what_was_done_is_not_done_again(careful):
    done = {"month": "2026-11", "actions": ["stop_training"], "spent_usd": 8.0, "budget_usd": 10.0, "at": ""}
    assert guarded(8.0, done=done)[1] == []
    assert [what for what, _ in guarded(8.0, done={**done, "month": "2026-10"})[1]] == ["announced", "remembered"]


def test_a_routing_that_somebody_else_changed_is_left_for_the_next_hour(careful):
    with pytest.raises(RoutingChanged):
        guarded(10.0, writable=False)


STOPPED_IN_OCTOBER = {"month": "2026-10", "actions": ["stop_model"], "spent_usd": 11.0, "budget_usd": 10.0, "at": ""}


def test_a_stopped_model_comes_back_in_the_first_minutes_of_the_next_month_and_is_announced(careful):
    first = NOW.replace(day=1, minute=5)
    _, did = guarded(1000.0, done=STOPPED_IN_OCTOBER, now=first, champion=None, previous=(CHAMPION,))
    assert did == [
        ("made", "flights-local-r-1"),
        ("routing", {**CHAMPION, "since": "2026-11-01T00:05:00Z"}),
        (
            "announced",
            "flights-local: 2026-11 has begun: the budget of 2026-10 no longer stops the model; r-1 answers again.",
        ),
        ("remembered", []),
    ]


def test_the_model_comes_back_before_another_action_of_the_new_month_is_taken(careful):
    _, did = guarded(8.0, done=STOPPED_IN_OCTOBER, champion=None, previous=(CHAMPION,))
    assert [effect for effect, _ in did] == ["made", "routing", "announced", "remembered", "announced", "remembered"]
    assert did[-1] == ("remembered", ["stop_training"])


@pytest.mark.parametrize(
    ("done", "champion"),
    [
        ({**STOPPED_IN_OCTOBER, "month": "2026-11", "actions": ["stop_training", "stop_model"]}, None),
        ({**STOPPED_IN_OCTOBER, "undone": ["stop_model"]}, None),
        ({**STOPPED_IN_OCTOBER, "actions": ["stop_training"]}, None),
        (STOPPED_IN_OCTOBER, CHAMPION),
    ],
    ids=["stopped this month", "undone", "another action", "answers already"],
)
def test_no_model_comes_back_that_an_earlier_month_did_not_stop(careful, done, champion):
    assert guarded(0.0, done=done, champion=champion, previous=(CHAMPION,))[1] == []


def test_a_model_whose_endpoint_was_removed_is_back_on_aws_when_the_month_turns(aws, careful, monkeypatch):
    monkeypatch.setattr("lambdas.aws.deployed.cloudformation", Stacks)
    boto3.client("sns").create_topic(Name="flights-local-alarms")
    name = CHAMPION["endpoint"]
    role = "arn:aws:iam::000000000000:role/any"
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "image"})
    variant = {"VariantName": "model", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    aws.routing(version=4, previous=[CHAMPION], changed_at="2020-01-02", reason="spent")
    aws.put(stage.ROUTING, item="guard", **{**STOPPED_IN_OCTOBER, "month": "2020-01"})
    handler({}, None)
    assert aws.item(stage.ROUTING, item="routing")["champion"]["release"] == "r-1"
    assert [each["EndpointName"] for each in aws.sagemaker.list_endpoints()["Endpoints"]] == [name]


def test_the_first_hour_of_a_month_tells_no_pace(careful):
    assert guarded(1000.0, now=NOW.replace(day=1, minute=59))[0]["actions"] == []


def test_every_hour_the_estimate_is_a_metric(careful, capsys):
    guarded(5.0)
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("SpentUsd", "SpentPercent", "forecast_usd")} == {
        "SpentUsd": 5.0,
        "forecast_usd": 10.0,
        "SpentPercent": 50.0,
    }


class Stacks:
    """CloudFormation, as far as it is asked: moto's needs a package that nothing else does."""

    def get_template(self, *, StackName):  # noqa: N803
        assert StackName in ("flights-local-data", "flights-local-service")
        return {
            "TemplateBody": {
                "Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm"}, "Api": {"Type": "AWS::ApiGatewayV2::Api"}}
            }
        }


def test_on_aws_the_deployed_templates_and_this_months_metrics_make_the_estimate(aws, careful, monkeypatch):
    now = datetime.now(UTC)
    if now - now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) < timedelta(hours=3):
        pytest.skip("the month has just begun: there is no pace yet")
    monkeypatch.setattr("lambdas.aws.deployed.cloudformation", Stacks)
    boto3.client("sns").create_topic(Name="flights-local-alarms")
    emit(now - timedelta(minutes=30), Requests=40_000_000.0, Predictions=40_000_000.0, Latency=50.0, ModelLatency=8.0)
    aws.routing(champion=CHAMPION)
    reply = handler({}, None)
    # 40 million requests so far, in two APIs each: 80 dollars and more, whatever day it is, of a budget of 10
    assert reply["spent_usd"] > 80 > 10
    assert reply["actions"] == ["stop_training", "stop_model"]
    assert aws.item(stage.ROUTING, item="routing")["champion"] is None
    assert aws.item(stage.ROUTING, item="guard")["actions"] == ["stop_training", "stop_model"]
    assert handler({}, None)["actions"] == []


def emit(at, **measured):
    dimensions = [{"Name": "project", "Value": "flights"}, {"Name": "stage", "Value": "local"}]
    for name, value in measured.items():
        datum = {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
        boto3.client("cloudwatch").put_metric_data(Namespace="Fairway", MetricData=[datum])
